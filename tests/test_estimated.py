from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError
from edgekit.estimated import Estimate, Layer

COUNTS = st.integers(0, 2**50)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=20)
LAYERS = st.builds(
    Layer,
    op=NAMES, compiled=NAMES, name=NAMES, on_npu=st.booleans(), cycles=COUNTS, npu_cycles=COUNTS,
    sram_cycles=COUNTS, dram_cycles=COUNTS, on_chip_flash_cycles=COUNTS,
    off_chip_flash_cycles=COUNTS, macs=COUNTS, staging_bytes=COUNTS,
)  # fmt: skip
ESTIMATES = st.builds(
    Estimate,
    compiler=NAMES, accelerator=NAMES, system=NAMES, memory=NAMES,
    clock_hz=st.floats(1.0, 1e12), cycles=COUNTS, sram_bytes=COUNTS, dram_bytes=COUNTS,
    on_chip_flash_bytes=COUNTS, off_chip_flash_bytes=COUNTS, macs=COUNTS, weight_bytes=COUNTS,
    encoded_bytes=COUNTS, layers=st.lists(LAYERS, max_size=4).map(tuple),
    reasons=st.lists(NAMES, max_size=2).map(tuple),
)  # fmt: skip


@given(ESTIMATES)
def test_an_estimate_survives_json(estimate):
    document = json.loads(json.dumps(estimate.to_json()))
    assert document["kind"] == "estimate"
    assert Estimate.from_json(document) == estimate


@given(ESTIMATES)
def test_shares_and_counts_add_up(estimate):
    left = sum(estimate.cpu_ops.values())
    assert left + estimate.npu_ops == len(estimate.layers)
    assert 0 <= estimate.npu_share <= 1


LAYER = Layer("Conv2D", "Conv2D", "x", True, 100, 90, 10, 0, 0, 20, 1000, 64)
ESTIMATE = Estimate(
    "Vela 5.2.0", "ethos-u55-128", "system", "memory", 5e8, 1_000_000, 1, 2, 3, 4, 5, 6, 7, (LAYER,)
)


def test_time_is_cycles_by_the_clock():
    assert ESTIMATE.inference_ms == 2.0
    assert ESTIMATE.flash_bytes == 7


def test_operators_beside_the_accelerator_are_named_and_counted():
    kept = replace(LAYER, op="Softmax", on_npu=False)
    mixed = replace(ESTIMATE, layers=(LAYER, kept, kept, replace(LAYER, op="Cast", on_npu=False)))
    assert list(mixed.cpu_ops.items()) == [("Softmax", 2), ("Cast", 1)]
    assert mixed.npu_share == 0.25


@pytest.mark.parametrize(
    ("key", "value"),
    [("kind", "measured"), ("cycles", -1), ("clock_hz", 0.0), ("layers", [{}]), ("colour", "red")],
)
def test_a_document_of_another_kind_or_size_is_refused(key, value):
    with pytest.raises(DeviceError, match=r"estimate|layer"):
        Estimate.from_json({**ESTIMATE.to_json(), key: value})
