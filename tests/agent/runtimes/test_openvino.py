from __future__ import annotations

import numpy as np
import pytest

from edgekit.agent.runtimes.onnxruntime import Onnxruntime
from edgekit.agent.runtimes.openvino import Openvino
from edgekit.errors import DeviceError, RuntimeFault

pytest.importorskip("openvino")


@pytest.fixture
def load(tiny_models):
    def loaded(name, delegate=None):
        return Openvino().load(tiny_models / f"{name}.xml", threads=1, delegate=delegate)

    return loaded


def image(seed=0):
    return np.random.default_rng(seed).random((1, 8, 8, 3), np.float32)


def test_it_computes_in_f32_and_says_so(load):
    # By default it computes in bf16 on processors that can, with errors of a percent.
    model = load("float")
    model([image()])
    assert model.facts["inference_precision"] == "f32"
    assert set(model.placement().executors) == {"f32"}
    assert sum(model.placement().left_out.values()) == model.placement().ops


def test_its_outputs_are_those_of_onnxruntime_to_float_accuracy(load, tiny_models):
    theirs = Onnxruntime().load(tiny_models / "float.onnx", threads=1, delegate=None)
    mine, reference = load("float")([image()])[0], theirs([image()])[0]
    assert np.abs(mine - reference).max() <= 1e-5 * np.abs(reference).max()


def test_the_default_precision_really_differs_on_processors_with_bf16(load, tiny_models):
    import openvino

    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor computes no bf16")
    compiled = core.compile_model(tiny_models / "float.xml", "CPU")
    careless = compiled(image())[0]
    careful = load("float")([image()])[0]
    assert np.abs(careless - careful).max() > 1e-4 * np.abs(careful).max()


def test_devices_that_choose_silently_are_not_accepted(load):
    for name in ("AUTO", "HETERO:GPU,CPU", "MULTI:CPU"):
        with pytest.raises(DeviceError, match="chooses a device for itself"):
            load("float", name)


def test_a_device_that_is_not_there_is_an_error(load):
    with pytest.raises(DeviceError, match=r"'NPU\.7' is not present on this device") as caught:
        load("float", "NPU.7")
    assert caught.value.details == ("present here: CPU",)
    assert "intel_vpu" in caught.value.hint


def test_two_inputs_and_two_outputs_keep_their_names(load):
    model = load("pair")
    assert {tensor.name for tensor in model.inputs} == {"left", "right"}
    values = {"left": np.full((1, 5), 2, np.float32), "right": np.full((1, 5), 5, np.float32)}
    found = model([values[tensor.name] for tensor in model.inputs])
    by_name = {t.name: float(a[0, 0]) for t, a in zip(model.outputs, found, strict=True)}
    assert by_name == {"sum": 7.0, "product": 10.0}


def test_outputs_belong_to_the_caller(load):
    model = load("float")
    (first,) = model([image(1)])
    kept = first.copy()
    model([image(2)])
    assert (first == kept).all()


def test_a_damaged_file_is_a_runtime_fault(tmp_path):
    model = tmp_path / "model.xml"
    model.write_text("<net>")
    with pytest.raises(RuntimeFault, match=r"openvino \S+ cannot load model\.xml"):
        Openvino().load(model, threads=1, delegate=None)


def test_the_version_is_without_the_build(load):
    assert Openvino().version.count(".") == 2
    assert "-" not in Openvino().version
    assert Openvino().version in load("float").facts["openvino_build"]


def test_reference_computes_on_the_cpu_in_float32(tiny_models):
    def loaded(delegate):
        model = Openvino().load(tiny_models / "float.xml", threads=1, delegate=delegate)
        return model, model([np.ones((1, 8, 8, 3), np.float32)])[0]

    (plain, one), (_, other) = loaded("reference"), loaded(None)
    assert plain.facts["openvino_device"] == "CPU"
    assert plain.facts["inference_precision"] == "f32"
    np.testing.assert_allclose(one, other, rtol=1e-4)
