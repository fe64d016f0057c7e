from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.quantization.condition.bias import Rounded
from edgekit.quantization.condition.grid import codes
from edgekit.quantization.condition.originals import Constant, Originals, write_originals


def rounded(shape, axes, seed=0):
    random = np.random.default_rng(seed)
    kernel = random.normal(size=shape).astype(np.float32)
    channels = int(np.prod([shape[axis] for axis in axes]))
    biases = random.normal(size=(2, channels)).astype(np.float32)
    return Rounded(kernel, codes(kernel, axes), biases[0], biases[1])


def as_constant(values):
    return Constant(values, values.astype(np.float32), 0.01)


@given(st.permutations(range(4)), st.integers(1, 4), st.integers(1, 4))
def test_a_kernel_is_found_in_any_layout(turn, height, width):
    entry = rounded((height, width, 5, 7), (3,))
    bias = Constant(entry.bias, entry.bias + np.float32(0.004), 0.01)
    found = Originals([entry]).in_place_of([as_constant(entry.codes.transpose(turn)), bias])
    # Where two layouts give the same numbers, they are the same.
    np.testing.assert_array_equal(found[0], entry.kernel.transpose(turn))
    np.testing.assert_array_equal(found[1], entry.float_bias)


def test_a_depthwise_kernel_is_found_where_channels_and_multipliers_are_one_axis():
    entry = rounded((3, 3, 4, 2), (2, 3))
    stored = entry.codes.reshape(3, 3, 8).transpose(2, 0, 1)[:, None]
    found = Originals([entry]).in_place_of([as_constant(stored), as_constant(entry.bias)])
    wanted = entry.kernel.reshape(3, 3, 8).transpose(2, 0, 1)[:, None]
    np.testing.assert_array_equal(found[0], wanted)


def test_of_two_uses_of_one_kernel_the_bias_says_which():
    one = rounded((4, 6), (1,))
    other = Rounded(one.kernel, one.codes, one.bias + 1, one.float_bias + 5)
    for first, second in itertools.permutations((one, other)):
        given = [as_constant(one.codes.T), as_constant(other.bias)]
        found = Originals([first, second]).in_place_of(given)
        np.testing.assert_array_equal(found[1], other.float_bias)


def test_a_kernel_without_its_bias_stays_as_it_was_rounded():
    entry = rounded((4, 6), (1,))
    given = [as_constant(entry.codes), as_constant(entry.bias + 1)]
    found = Originals([entry]).in_place_of(given)
    for value, constant in zip(found, given, strict=True):
        np.testing.assert_array_equal(value, constant.real)


def test_other_numbers_are_another_kernel():
    entry = rounded((4, 6), (1,))
    other = as_constant(rounded((4, 6), (1,), seed=1).codes)
    assert Originals([entry]).in_place_of([other])[0] is other.real


@pytest.mark.parametrize("biases", [True, False])
def test_what_is_written_is_read_again(tmp_path, biases):
    entry = rounded((4, 6), (1,))
    if not biases:
        entry = Rounded(entry.kernel, entry.codes, None, None)
    write_originals(tmp_path / "originals.npz", [entry])
    read = Originals.read([tmp_path / "originals.npz"])
    given = [as_constant(entry.codes.T), *([as_constant(entry.bias)] if biases else [])]
    np.testing.assert_array_equal(read.in_place_of(given)[0], entry.kernel.T)
