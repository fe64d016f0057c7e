from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekit.measure import Measurement, Placement
from edgekit.quantization.mixed.costing import measure_cost


class Busy:
    """A device on which other processes make every call last much longer than it computes."""

    def run(self, job):
        computes = {"mixed": 3_000_000, "int8": 2_000_000, "fp32": 4_000_000}[Path(job.model).stem]
        nothing = Placement(0, 0, 0, {}, "test")
        series = ((10 * computes,) * 9, (10 * computes,) * 9, (computes,) * 9)
        measurement = Measurement(*series, (9,), (1,), 1, 1, None, nothing, {})
        return SimpleNamespace(measurement=measurement)


def test_the_cost_is_processor_time_without_the_waiting():
    names = ("mixed", "int8", "fp32")
    files = {name: Path(f"{name}.tflite") for name in names}
    cost = measure_cost(Busy(), "litert", files, dict.fromkeys(names, Path("one")), seconds=5)
    assert (cost.mixed_ms, cost.int8_ms, cost.fp32_ms) == (3.0, 2.0, 4.0)
    assert cost.extra_ms == pytest.approx(1.0)
    assert cost.ratio == pytest.approx(1.5)
