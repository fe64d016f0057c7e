from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.errors import DeviceError
from edgekit.measure import Measurement, Placement

PLACEMENT = Placement(66, 64, 2, {"XNNPACK": 64, "kernels": 2}, "DELEGATE nodes")


def test_files_are_compared_by_processor_time_or_wall_time_where_that_clock_is_too_coarse(measured):
    (one,) = measured(2.0)
    assert one.cost_ns == 1e6
    assert replace(one, cpu_ns=(0,) * 100).cost_ns == 2e6


def test_a_measurement_survives_the_way_from_the_device(measured):
    (one,) = measured(2.0, blocks=(60, 40))
    assert Measurement.from_json(one.to_json()) == one


@pytest.mark.parametrize("blocks", [[100, 1], [99], [], [50, 0, 50], [-1, 101]])
def test_blocks_that_do_not_add_up_to_the_calls_are_refused(measured, blocks):
    (one,) = measured(2.0)
    with pytest.raises(DeviceError, match="block"):
        Measurement.from_json({**one.to_json(), "blocks": blocks})


def test_placement_reads_as_delegate_ops_and_pieces():
    assert str(PLACEMENT) == "XNNPACK 64/66 in 2"
    assert str(replace(PLACEMENT, ops=64, partitions=1)) == "XNNPACK 64/64"


def test_placement_without_a_delegate_lists_what_computed():
    assert str(Placement(9, 0, 0, {"f32": 3, "i8": 6}, "")) == "i8 6, f32 3"
