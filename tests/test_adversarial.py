from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit.adversarial import adversarial
from edgekit.spec import InputSpec


@st.composite
def specs(draw):
    dtype = draw(st.sampled_from(["uint8", "int8", "int32", "float16", "float32"]))
    kind = np.dtype(dtype)
    least, most = (
        (-1e4, 1e4) if kind.kind == "f" else (np.iinfo(kind).min, min(np.iinfo(kind).max, 2**20))
    )
    low, high = sorted(draw(st.tuples(*[st.integers(int(least), int(most))] * 2)))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    return InputSpec(name="x", dtype=dtype, shape=shape, range=(float(low), float(high)))


@given(specs())
def test_every_case_is_a_sample_of_the_input_and_finite(spec):
    for case in adversarial(spec).values():
        assert (case.shape, case.dtype.name) == (spec.shape, spec.dtype)
        assert np.isfinite(case).all()


@given(specs())
def test_only_floats_leave_the_range(spec):
    low, high = spec.range
    for name, case in adversarial(spec).items():
        if name not in ("beyond", "denormal"):
            assert case.min() >= np.array(low).astype(spec.dtype)
            assert case.max() <= np.array(high).astype(spec.dtype)
    assert ("beyond" in adversarial(spec)) is spec.dtype.startswith("float")


def test_denormal_numbers_are_denormal_and_the_same_each_time():
    spec = InputSpec(name="x", dtype="float32", shape=(4,), range=(-1.0, 1.0))
    cases = adversarial(spec)
    assert (np.abs(cases["denormal"]) > 0).all()
    assert (np.abs(cases["denormal"]) < np.finfo(np.float32).tiny).all()
    assert np.abs(cases["beyond"]).max() == 4.0
    again = adversarial(spec)
    assert all((cases[name] == again[name]).all() for name in cases)
