from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.quantization.condition.bias import Rounded
from edgekit.quantization.condition.grid import codes, steps
from edgekit.quantization.condition.originals import Constant, Originals, write_originals


def rounded(shape, axes, seed=0):
    random = np.random.default_rng(seed)
    kernel = random.normal(size=shape).astype(np.float32)
    channels = int(np.prod([shape[axis] for axis in axes]))
    biases = random.normal(size=(2, channels)).astype(np.float32)
    return Rounded(kernel, codes(kernel, axes), steps(kernel, axes), *biases)


def as_constant(values):
    return Constant(values, values.astype(np.float32), 0.01)


def in_file(entry, factor=1.0):
    """The rounded kernel as a file holds it."""
    return Constant(entry.codes, entry.codes * entry.steps * np.float32(factor), 0.01)


def turned(constant, change):
    return Constant(change(constant.codes), change(constant.real), constant.step)


@given(st.permutations(range(4)), st.integers(1, 4), st.integers(1, 4))
def test_a_kernel_is_found_in_any_layout(turn, height, width):
    entry = rounded((height, width, 5, 7), (3,))
    bias = Constant(entry.bias, entry.bias + np.float32(0.004), 0.01)
    found = Originals([entry]).in_place_of(
        [turned(in_file(entry), lambda values: values.transpose(turn)), bias]
    )
    # Where two layouts give the same numbers, they are the same.
    np.testing.assert_array_equal(found[0], entry.kernel.transpose(turn))
    np.testing.assert_array_equal(found[1], entry.float_bias)


def test_a_depthwise_kernel_is_found_where_channels_and_multipliers_are_one_axis():
    entry = rounded((3, 3, 4, 2), (2, 3))

    def store(values):
        return values.reshape(3, 3, 8).transpose(2, 0, 1)[:, None]

    stored = turned(in_file(entry), store)
    found = Originals([entry]).in_place_of([stored, as_constant(entry.bias)])
    np.testing.assert_array_equal(found[0], store(entry.kernel))


@pytest.mark.parametrize("behind", [True, False])
def test_a_folded_factor_scales_the_kernel_and_the_bias_only_if_it_stands_behind(behind):
    entry = rounded((3, 3, 4, 6), (3,))
    factor = np.linspace(0.004, 3, 6, dtype=np.float32)
    stored = turned(in_file(entry, factor), lambda values: values.transpose(3, 0, 1, 2))
    times = factor if behind else np.float32(1)
    bias = Constant(np.zeros(6, np.int32), entry.bias * times, 1e-3)
    found = Originals([entry]).in_place_of([stored, bias])
    wanted = (entry.kernel * factor).transpose(3, 0, 1, 2)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(found[1], entry.float_bias * times, rtol=1e-5)


def test_of_two_uses_of_one_kernel_the_bias_says_which():
    one = rounded((4, 6), (1,))
    other = Rounded(one.kernel, one.codes, one.steps, one.bias + 1, one.float_bias + 5)
    for first, second in itertools.permutations((one, other)):
        given = [turned(in_file(one), np.transpose), as_constant(other.bias)]
        found = Originals([first, second]).in_place_of(given)
        np.testing.assert_array_equal(found[1], other.float_bias)


def test_a_kernel_without_its_bias_stays_as_it_was_rounded():
    entry = rounded((4, 6), (1,))
    given = [in_file(entry), as_constant(entry.bias + 1)]
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
        entry = Rounded(entry.kernel, entry.codes, entry.steps, None, None)
    write_originals(tmp_path / "originals.npz", [entry])
    read = Originals.read([tmp_path / "originals.npz"])
    stored = turned(in_file(entry), np.transpose)
    given = [stored, *([as_constant(entry.bias)] if biases else [])]
    np.testing.assert_array_equal(read.in_place_of(given)[0], entry.kernel.T)
