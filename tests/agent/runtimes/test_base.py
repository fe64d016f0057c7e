from __future__ import annotations

import pytest

from edgekit.agent.runtimes import BUILT_IN, runtime_class
from edgekit.agent.runtimes.base import LoadedModel, Runtime, check_delegate, first_line
from edgekit.errors import (
    DeviceError,
    FileError,
    MissingExtraError,
    RuntimeFault,
    UsageError,
)
from edgekit.measure import Placement
from edgekit.registry import RUNTIMES, parts


class Absent(Runtime):
    name = "absent"
    module = "a_package_that_nobody_has"

    def _load(self, model, threads, delegate) -> LoadedModel:
        raise AssertionError("never reached")


class Clumsy(Runtime):
    name = "clumsy"
    module = "json"

    def _load(self, model, threads, delegate) -> LoadedModel:
        raise ValueError("\n\nunsupported opset 99\nstack: ...")


def test_built_in_runtimes_are_the_entry_points_of_the_same_names():
    points = parts(RUNTIMES)
    assert {name: tuple(points[name].value.split(":")) for name in BUILT_IN} == BUILT_IN


def test_an_unknown_runtime_is_a_usage_error_with_a_suggestion():
    with pytest.raises(UsageError, match="unknown runtime 'onxruntime'") as caught:
        runtime_class("onxruntime")
    assert "did you mean onnxruntime" in caught.value.hint


def test_a_runtime_that_is_not_installed_names_the_extra():
    with pytest.raises(MissingExtraError, match="needs a_package_that_nobody_has"):
        Absent()


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("litert", "[litert]'"),
        ("tflite-runtime", "pip install tflite-runtime==2.14.0 'numpy<2'"),
        ("onnxruntime", "[onnxruntime]'"),
        ("openvino", "[openvino-runtime]'"),
    ],
)
def test_each_built_in_runtime_names_the_way_to_get_it(monkeypatch, name, way):
    kind = runtime_class(name)
    monkeypatch.setattr(kind, "refuse_environment", lambda self: None)
    top = kind.module.partition(".")[0]

    def import_module(module):
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)

    monkeypatch.setattr("edgekit.agent.runtimes.base.import_module", import_module)
    with pytest.raises(MissingExtraError) as caught:
        kind()
    assert way in caught.value.hint


def test_a_runtime_whose_own_dependency_is_missing_is_broken_not_absent(monkeypatch):
    def import_module(module):
        raise ModuleNotFoundError("No module named 'flatbuffers'", name="flatbuffers")

    monkeypatch.setattr("edgekit.agent.runtimes.base.import_module", import_module)
    with pytest.raises(RuntimeFault, match=r"installed and does not import.*flatbuffers"):
        Absent()


def test_a_model_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileError, match=r"none\.bin: no such model file"):
        Clumsy().load(tmp_path / "none.bin", threads=1, delegate=None)


def test_what_a_package_raises_while_loading_becomes_one_line(tmp_path):
    model = tmp_path / "model.bin"
    model.write_bytes(b"1234")
    expected = r"^clumsy \S+ cannot load model\.bin: unsupported opset 99$"
    with pytest.raises(RuntimeFault, match=expected) as caught:
        Clumsy().load(model, threads=1, delegate=None)
    assert "4 bytes" in caught.value.details[0]


def test_a_delegate_that_was_asked_for_and_runs_nothing_is_an_error():
    on_cpu = Placement(12, 0, 0, {"CPU": 12}, "profile")
    with pytest.raises(DeviceError, match="'cuda' was asked for and runs none of the 12 ops"):
        check_delegate("cuda", on_cpu)
    check_delegate(None, on_cpu)
    check_delegate("none", on_cpu)
    check_delegate("cuda", Placement(12, 3, 1, {"CUDA": 3, "CPU": 9}, "profile"))


def test_words_that_litert_joins_are_parted():
    error = RuntimeError("failed to create XNNPACK runtimeNode number 9 (X) failed to prepare.")
    assert first_line(error).startswith("failed to create XNNPACK runtime: Node number 9 (X)")
