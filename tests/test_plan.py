from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import registry
from edgekit.errors import UsageError
from edgekit.exporters.base import Exporter
from edgekit.manifest import PRECISIONS
from edgekit.plan import (
    CALIBRATED,
    artifact_key,
    exporters_named,
    make_plan,
    plan_for_file,
    tool_versions,
)

TARGETS = ("tflite", "onnx", "openvino")
COMMON = tuple(p for p in PRECISIONS if p not in ("int4", "16x8"))  # every target has them


class Circular(Exporter):
    target: ClassVar[str] = "ring"
    runtime: ClassVar[str] = "litert"
    model_file: ClassVar[str] = "model.ring"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16")
    extra: ClassVar[str] = "ring"

    def source(self, precision):
        return "ring-fp16" if precision == "fp32" else "ring-fp32"

    def _convert(self, conversion):
        raise AssertionError

    def inspect(self, folder: Path):
        raise AssertionError


@pytest.fixture
def circular(monkeypatch):
    real = registry.load
    monkeypatch.setattr(
        registry, "load", lambda group, name: Circular if name == "ring" else real(group, name)
    )


def labels(plan):
    return [step.label for step in plan.steps]


def test_without_names_the_three_built_in_targets_are_chosen():
    assert tuple(exporters_named(())) == TARGETS


def test_a_prefix_names_a_target_and_a_wrong_one_says_what_was_meant():
    assert tuple(exporters_named(["tf", "onnx", "tflite"])) == ("tflite", "onnx")
    with pytest.raises(UsageError, match="unknown target 'tflight'") as caught:
        exporters_named(["tflight"])
    assert caught.value.hint == "did you mean tflite?"


def test_openvino_alone_brings_the_step_it_starts_from():
    plan = make_plan(exporters_named(["openvino"]), ["int8"], "native")
    assert labels(plan) == ["onnx-fp32", "openvino-int8"]
    assert [step.label for step in plan.wanted] == ["openvino-int8"]
    assert plan.wanted[0].chain == ("keras", "onnx-fp32", "openvino-int8")


def test_a_step_is_wanted_whichever_way_it_was_found_first():
    plan = make_plan(exporters_named(["openvino", "onnx"]), ["fp32"], "native")
    assert {step.label for step in plan.wanted} == {"onnx-fp32", "openvino-fp32"}


def test_only_int8_gets_the_io_type_and_it_is_in_the_label():
    plan = make_plan(exporters_named(["onnx"]), ["fp32", "int8"], "uint8")
    assert labels(plan) == ["onnx-fp32", "onnx-int8-uint8"]


def test_unknown_precisions_are_refused_with_what_was_meant():
    with pytest.raises(UsageError, match="unknown precision 'int5'") as caught:
        make_plan(exporters_named(()), ["int5"], "native")
    assert "int8" in caught.value.hint


def test_a_precision_that_no_chosen_target_has_is_refused(circular):
    with pytest.raises(UsageError, match="none of ring has the precision 'int8'"):
        make_plan({"ring": Circular()}, ["int8"], "native")


def test_third_party_steps_in_a_circle_are_refused(circular):
    with pytest.raises(UsageError, match="go in a circle: ring-fp32 ← ring-fp16 ← ring-fp32"):
        make_plan({"ring": Circular()}, ["fp32"], "native")


@given(
    st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4),
    st.lists(st.sampled_from(COMMON), min_size=1, max_size=5),
    st.data(),
)
def test_every_source_comes_first_and_part_of_a_plan_is_a_whole_plan(targets, precisions, data):
    plan = make_plan(exporters_named(targets), precisions, "native")
    assert {step.label for step in plan.wanted} == {f"{t}-{p}" for t in targets for p in precisions}
    part = plan.only(data.draw(st.sets(st.sampled_from([s.label for s in plan.wanted]))))
    for each in (plan, part):
        seen = {"keras"}
        for step in each.steps:
            assert step.source in seen
            assert step.chain[-2:] == (step.source, step.label)
            seen.add(step.label)
        assert len(each.steps) == len({step.label for step in each.steps})


@given(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3))
def test_only_what_is_calibrated_starts_from_the_conditioned_model(targets):
    plan = make_plan(exporters_named(targets), COMMON, "native", condition=True)
    for step in plan.steps:
        aside = step.label == "onnx-fp32-conditioned"
        assert step.conditioned == (step.precision == "int8" or aside)
        assert not (aside and step.wanted)
        assert step.needs_tensorflow == (step.source in ("keras", "conditioned"))
    assert {step.label for step in plan.wanted} == {f"{t}-{p}" for t in targets for p in COMMON}


def test_a_change_of_the_conditioning_makes_only_what_is_conditioned_old():
    def keys(condition, code):
        exporters = exporters_named(["tflite"])
        steps = make_plan(exporters, ["fp32", "int8"], "native", condition=condition).wanted
        return [artifact_key(step, {"model": "m", "conditioning": code}) for step in steps]

    assert keys(True, "a")[0] == keys(True, "b")[0] == keys(False, "a")[0]
    assert len({keys(True, "a")[1], keys(True, "b")[1], keys(False, "a")[1]}) == 3
    assert keys(False, "a") == keys(False, "b")


@given(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3), st.booleans())
def test_only_what_is_calibrated_starts_from_the_rewritten_model(targets, condition):
    precisions = ("fp32", "fp16", "dynamic", "int8")  # those that every target has
    plan = make_plan(exporters_named(targets), precisions, "native", condition=condition, fix=True)
    links = ("rewritten", "conditioned") if condition else ("rewritten",)
    for step in plan.steps:
        rewritten = step.precision == "int8" or step.label.endswith("-".join(links))
        assert (step.chain[1 : 1 + len(links)] == links) == rewritten
        assert step.needs_tensorflow == (step.source in ("keras", "-".join(links)))
    made = [start.label for start in plan.starts]
    assert made == ["rewritten", "rewritten-conditioned"][: 1 + condition]


def test_a_change_of_the_rewrites_makes_only_what_is_rewritten_old():
    def keys(fix, code):
        exporters = exporters_named(["tflite"])
        steps = make_plan(exporters, ["fp32", "int8"], "native", fix=fix).wanted
        return [artifact_key(step, {"model": "m", "rewriting": code}) for step in steps]

    assert keys(True, "a")[0] == keys(True, "b")[0] == keys(False, "a")[0]
    assert len({keys(True, "a")[1], keys(True, "b")[1], keys(False, "a")[1]}) == 3
    assert keys(False, "a") == keys(False, "b")


def test_what_calibration_decides_is_in_the_key_of_int8_only():
    def keys(count):
        steps = make_plan(exporters_named(["onnx"]), ["fp32", "int8"], "native").wanted
        return [artifact_key(step, {"model": "m", "calibration": count}) for step in steps]

    first, second = keys(10), keys(20)
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_another_model_tool_or_io_gives_another_key(monkeypatch):
    def key(model="m", io="native"):
        (step,) = make_plan(exporters_named(["tflite"]), ["int8"], io).wanted
        return artifact_key(step, {"model": model})

    usual = key()
    assert usual == key()
    monkeypatch.setattr("edgekit.plan.tool_versions", lambda packages: {"tensorflow": "9"})
    assert len({usual, key(), key("other"), key(io="int8")}) == 4


def test_a_tool_that_is_not_installed_is_absent():
    assert tool_versions(["no-such-distribution"]) == {"no-such-distribution": "absent"}


@pytest.mark.parametrize("condition", [True, False])
def test_of_a_file_every_step_starts_from_the_file_or_its_conditioned_copy(condition):
    exporters = exporters_named(["onnx", "openvino"])
    plan = plan_for_file(exporters, ["int8", "dynamic", "16x8"], "native", condition=condition)
    for step in plan.steps:
        between = ("conditioned",) if condition and step.precision in CALIBRATED else ()
        assert step.chain == ("file", *between, step.label)
        assert step.source == step.chain[-2]
        assert step.wanted
        assert not step.needs_tensorflow
    assert [step.label for step in plan.steps] == [
        "onnx-dynamic", "openvino-dynamic", "onnx-int8", "openvino-int8", "onnx-16x8",
    ]  # fmt: skip
