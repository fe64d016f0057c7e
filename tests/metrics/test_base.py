from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import ArtifactError
from edgekit.metrics import MetricValue
from edgekit.statistics import paired_difference, wilson

GOOD = {
    "name": "top1", "samples": 2016, "value": 98.16, "ci95": [97.48, 98.67],
    "reference": 98.2, "drop": 0.04, "drop_ci95": [-0.2, 0.3],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ci95": [1, 2]}, "ci95: 1 to 2 doesn't hold 98.16"),
        ({"ci95": [98.2, 99]}, "ci95"),
        ({"drop_ci95": [0.1, 0.3]}, "drop_ci95: 0.1 to 0.3 doesn't hold 0.04"),
        ({"drop": 0.2}, "drop: 0.2 is not reference"),
        ({"drop": -0.04}, "drop: -0.04 is not reference"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(change, told):
    MetricValue.from_json(GOOD)
    with pytest.raises(ArtifactError, match=f"metric: {told}"):
        MetricValue.from_json({**GOOD, **change})


@given(st.integers(1, 10**5), st.data())
def test_what_was_measured_and_rounded_is_taken_back(samples, data):
    both, only, other = sorted(data.draw(st.integers(0, samples)) for _ in range(3))
    right, reference = only - both, other - only  # of one, of the other, of neither
    first, second = 100 * (both + right) / samples, 100 * (both + reference) / samples
    low, high = wilson(both + right, samples)
    gap = paired_difference(reference, right, samples)
    one = MetricValue(
        "top1", samples, first, (100 * low, 100 * high), second, second - first,
        (100 * gap[0], 100 * gap[1]),
    )  # fmt: skip
    assert MetricValue.from_json(one.to_json()).samples == samples
