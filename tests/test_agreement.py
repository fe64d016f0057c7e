from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.agreement import CLASSES, DIFFERENT, EXACT, ONE_STEP, agreement, overall
from edgekit.errors import DataError

KINDS = st.sampled_from(["int8", "uint8", "int16", "int32", "int64", "bool", "float32", "float16"])
SHAPES = arrays.array_shapes(min_dims=2, max_dims=4, max_side=4)


@st.composite
def outputs(draw, kinds=KINDS):
    return draw(arrays.arrays(np.dtype(draw(kinds)), draw(SHAPES)))


@given(outputs())
def test_an_output_agrees_with_itself_nan_and_all(output):
    found = agreement(output, output.copy())
    assert (found.kind, found.differing, found.worst_sample) == (EXACT, 0, None)
    assert found.values == output.size


@given(outputs(st.sampled_from(["int8", "uint8", "int16", "int32", "int64"])), st.data())
def test_the_class_of_integers_follows_the_largest_difference(output, data):
    other = data.draw(arrays.arrays(output.dtype, output.shape))
    found = agreement(output, other)
    apart = [abs(int(a) - int(b)) for a, b in zip(output.flat, other.flat, strict=True)]
    assert found.differing == sum(one > 0 for one in apart)
    assert found.max_steps == pytest.approx(max(apart))
    assert found.kind == {0: EXACT, 1: ONE_STEP}.get(max(apart), DIFFERENT)
    if max(apart):
        row = output[found.worst_sample], other[found.worst_sample]
        widest = max(abs(int(a) - int(b)) for a, b in zip(*(one.flat for one in row), strict=True))
        assert widest == pytest.approx(max(apart))


@given(outputs(), st.data())
def test_neither_side_comes_first(output, data):
    other = data.draw(arrays.arrays(output.dtype, output.shape))
    assert agreement(output, other) == agreement(other, output)


@given(
    arrays.arrays(np.int16, (3, 4), elements=st.integers(-200, 200)),
    arrays.arrays(np.int16, (3, 4), elements=st.integers(-3, 3)),
    st.floats(2**-20, 2**10, width=32),
)
def test_floats_on_a_grid_are_counted_in_its_steps(whole, apart, scale):
    step = np.float32(scale)
    mine = whole.astype(np.float32) * step
    theirs = (whole + apart).astype(np.float32) * step
    found = agreement(mine, theirs, step=float(step))
    assert found.max_steps == np.abs(apart).max()


def test_floats_off_their_grid_are_different_though_less_than_a_step_apart():
    mine, theirs = np.array([[0.5]], np.float32), np.array([[0.75]], np.float32)
    found = agreement(mine, theirs, step=1.0)
    assert (found.kind, found.max_steps, found.max_abs) == (DIFFERENT, None, 0.25)


def test_floats_without_a_grid_have_no_steps():
    found = agreement(np.zeros((1, 2), np.float32), np.full((1, 2), 1e-7, np.float32))
    assert (found.kind, found.max_steps) == (DIFFERENT, None)
    assert found.max_abs == pytest.approx(1e-7)
    assert found.share == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_on_one_side_only_has_no_size(bad):
    mine, theirs = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    mine[1, 2] = bad
    found = agreement(mine, theirs, step=0.5)
    assert (found.kind, found.max_steps, found.max_abs) == (DIFFERENT, None, None)
    assert (found.worst_sample, found.differing, found.differing_samples) == (1, 1, 1)


def test_a_zeros_sign_is_no_difference():
    assert agreement(np.array([[-0.0]]), np.array([[0.0]])).kind == EXACT


@pytest.mark.parametrize(
    "other", [np.zeros((1, 3), np.int8), np.zeros((1, 2), np.uint8), np.zeros((2, 2), np.int8)]
)
def test_outputs_of_another_shape_or_dtype_are_not_compared(other):
    with pytest.raises(DataError, match="the reference's"):
        agreement(np.zeros((1, 2), np.int8), other)


@given(st.lists(outputs(st.sampled_from(["int8"])), min_size=1, max_size=3), st.data())
def test_several_outputs_are_as_bad_as_the_worst_of_them(found, data):
    each = [agreement(one, data.draw(arrays.arrays(one.dtype, one.shape))) for one in found]
    whole = overall(each)
    assert CLASSES.index(whole.kind) == max(CLASSES.index(one.kind) for one in each)
    assert whole.max_steps == max(one.max_steps for one in each)
    assert whole.values == sum(one.values for one in each)


def test_no_output_at_all_agrees_with_nothing():
    with pytest.raises(ValueError, match="no output"):
        overall([])
