from __future__ import annotations

import pytest

from edgekit import extras


@pytest.mark.parametrize(
    ("module", "distribution"),
    [("tf2onnx.convert", "tf2onnx"), ("PIL", "pillow"), ("ai_edge_litert", "ai-edge-litert")],
)
def test_a_module_belongs_to_its_package(module, distribution):
    assert extras.owner_of(module).distribution == distribution


def test_a_module_of_nobodys_has_no_owner():
    assert extras.owner_of("json") is None
