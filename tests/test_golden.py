from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit.golden import EXTREMES, WITHOUT_DATA, extremes, noise, proof_inputs
from edgekit.spec import InputSpec


@st.composite
def specs(draw):
    dtype = draw(st.sampled_from(["uint8", "int8", "int32", "int64", "float16", "float32"]))
    least, most = (0, 255) if dtype == "uint8" else (-128, 127)
    low = draw(st.integers(least, most - 1))
    high = draw(st.integers(low + 1, most))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    return InputSpec("x", dtype, shape, range=(float(low), float(high)))


@given(specs())
def test_samples_have_the_models_type_and_stay_in_its_range(spec):
    for samples, count in ((extremes(spec), EXTREMES), (noise(spec, 7), 7)):
        assert samples.shape == (count, *spec.shape)
        assert samples.dtype == spec.dtype
        assert samples.min() >= spec.range[0]
        assert samples.max() <= spec.range[1]


@given(specs())
def test_the_first_sample_is_the_lowest_and_the_second_the_highest(spec):
    samples = extremes(spec)
    assert (samples[0] == spec.range[0]).all()
    assert (samples[1] == spec.range[1]).all()


@given(specs())
def test_the_same_spec_gives_the_same_bytes(spec):
    assert extremes(spec).tobytes() == extremes(spec).tobytes()
    assert noise(spec, 3).tobytes() == noise(spec, 3).tobytes()


def test_data_follows_the_extremes_and_noise_stands_in_where_there_is_none():
    spec = InputSpec("x", "float32", (2,), range=(-1.0, 1.0))
    data = np.arange(10, dtype=np.float32).reshape(5, 2)
    with_data = proof_inputs([spec], {"x": data})["x"]
    assert np.array_equal(with_data[EXTREMES:], data)
    without = proof_inputs([spec, InputSpec("y", "int32", (3,))], None)
    assert [len(array) for array in without.values()] == [EXTREMES + WITHOUT_DATA] * 2
    assert without["y"].dtype == np.int32


def test_noise_of_two_inputs_is_not_the_same():
    pair = [InputSpec(name, "float32", (5,), range=(-1.0, 1.0)) for name in ("left", "right")]
    found = proof_inputs(pair, None)
    assert np.array_equal(found["left"][:3], found["right"][:3])
    assert (found["left"][3:] != found["right"][3:]).any(axis=1).all()
    assert np.array_equal(found["left"], proof_inputs(pair[:1], None)["left"])
