"""Profiles of accelerators: what they ask for is there and used, or is not present."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.agent.runtimes.needs import NEEDED, needed
from edgekit.agent.runtimes.openvino import Openvino
from edgekit.cli import main
from edgekit.device import RUNTIMES_OF_TARGET
from edgekit.errors import DeviceError, EdgekitError
from edgekit.job import Job
from edgekit.transports.connect import connect, find_profile, question
from edgekit.transports.local import LocalTransport

# Profiles that name an accelerator of this machine: runtime, delegate.
PROFILES = {
    "litert-gpu": ("litert", "gpu"),
    "litert-npu": ("litert", "npu"),
    "nuc-gpu": ("openvino", "GPU"),
    "nuc-npu": ("openvino", "NPU"),
    "nvidia-cuda": ("onnxruntime", "cuda"),
    "nvidia-tensorrt": ("onnxruntime", "tensorrt"),
    "qualcomm-htp": ("onnxruntime", "qnn"),
    "apple-coreml": ("onnxruntime", "coreml"),
    "coral": ("tflite-runtime", "libedgetpu.so.1"),
}
QNN = os.environ.get("EDGEKIT_QNN_PYTHON")
needs_qnn = pytest.mark.skipif(
    QNN is None,
    reason="no onnxruntime-qnn: read its Qualcomm_LICENSE.pdf; then python -m venv V && "
    "V/bin/pip install onnxruntime-qnn numpy, and EDGEKIT_QNN_PYTHON=V/bin/python",
)


def job(tiny_models, folder, file="float.tflite", runtime="litert", **changes):
    np.save(folder / "inputs.npy", np.random.default_rng(5).random((4, 8, 8, 3), np.float32))
    return Job(
        action="run",
        runtime=runtime,
        model=str(tiny_models / file),
        inputs=str(folder / "inputs.npy"),
        outputs=str(folder / "outputs.npy"),
        **changes,
    )


def refusal(name):
    """Why a device cannot be used; None where it can."""
    try:
        connect(name)
    except EdgekitError as error:
        return error
    return None


@pytest.mark.parametrize("name", PROFILES)
def test_an_accelerator_that_is_not_here_is_told_by_name_with_what_it_needs(name):
    runtime, delegate = PROFILES[name]
    profile = find_profile(name)
    assert (profile.prefer, profile.delegate) == ((runtime,), delegate)
    assert needed(runtime, delegate)
    found = refusal(name)
    if found is None:
        pytest.skip("it is here")
    told = (
        f"delegate {delegate!r} is not present on this device",
        "is not what its profile says",  # no Mac
        "is not installed",  # tflite-runtime
        "needs numpy 1",
    )
    assert any(words in found.message for words in told), found.message
    if told[0] in found.message:
        assert found.hint.startswith("it needs ")


@pytest.mark.parametrize("name", ["qualcomm-htp", "nvidia-cuda"])
@pytest.mark.parametrize("command", ["profile", "eval", "parity", "check"])
def test_no_command_takes_the_processor_for_an_accelerator(make_artifact, capsys, name, command):
    if refusal(name) is None:
        pytest.skip("it is here")
    asked = [command, str(make_artifact("onnx").path)]
    if command == "check":
        asked = ["devices", "check"]
    more = [name] if command == "check" else ["--device", name]
    assert main([*asked, *more, "-q"]) == 1
    error = capsys.readouterr().err
    assert f"delegate {find_profile(name).delegate!r} is not present on this device" in error
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1


def test_a_listing_says_that_it_is_not_present(capsys):
    assert main(["devices", "nuc-npu"]) == 0
    assert "delegate 'NPU' is not present on this device" in capsys.readouterr().out


def test_a_device_is_asked_for_the_delegate_of_its_only_runtime():
    profile = find_profile("nvidia-cuda")
    asked = question(profile)
    assert (asked.runtime, asked.delegate) == ("onnxruntime", "cuda")
    assert asked.options == profile.delegate_options
    # Of two runtimes either may have it, and of none asked for there is nothing to ask.
    assert question(replace(profile, prefer=("litert", "onnxruntime"))) == Job(action="probe")
    assert question(replace(profile, delegate=None)) == Job(action="probe")


def test_every_need_is_of_a_runtime_that_there_is():
    assert set(NEEDED) <= {name for names in RUNTIMES_OF_TARGET.values() for name in names}
    for runtime, delegates in NEEDED.items():
        for name in delegates:
            assert needed(runtime, name.upper()) == delegates[name]
    assert needed("onnxruntime", "CUDAExecutionProvider") == needed("onnxruntime", "cuda")
    assert needed("openvino", "GPU.1") == needed("openvino", "GPU")
    assert needed("litert", "nonsense") is None


def test_a_gpu_in_software_is_known_before_anything_is_run(swiftshader):
    device = connect("litert-swiftshader")
    assert device.environment["gpu"].startswith("SwiftShader")
    assert device.environment["gpu_backend"] == "Vulkan"
    with pytest.raises(DeviceError, match="no latency from here: SwiftShader"):
        device.transport.refuse_latency()


@pytest.mark.parametrize("file", ["float.tflite", "dynamic.tflite", "open.tflite"])
def test_a_gpu_computes_what_the_processor_does(tiny_models, tmp_path, swiftshader, file):
    found = {}
    for delegate, options in (("gpu", {"vulkan_driver": swiftshader}), ("none", {})):
        asked = job(tiny_models, tmp_path, file, delegate=delegate, options=options)
        result = LocalTransport().run(asked)
        found[delegate] = np.load(tmp_path / "outputs.npy")
        if delegate == "gpu":
            assert result.placement.delegated == result.placement.ops > 0
            assert result.placement.executors == {"GPU": result.placement.ops}
            assert result.environment["gpu"].startswith("SwiftShader")
    np.testing.assert_allclose(found["gpu"], found["none"], atol=2e-2 * np.abs(found["none"]).max())


def test_int8_of_a_gpu_keeps_its_grid_and_stays_near(tiny_models, tmp_path, swiftshader):
    found = {}
    for delegate, options in (("gpu", {"vulkan_driver": swiftshader}), ("none", {})):
        asked = job(tiny_models, tmp_path, "int8.tflite", delegate=delegate, options=options)
        np.save(asked.inputs, np.random.default_rng(6).integers(-128, 128, (4, 8, 8, 3), np.int8))
        result = LocalTransport().run(asked)
        found[delegate] = (np.load(tmp_path / "outputs.npy"), result.inputs, result.outputs)
    mine, plain = found["gpu"], found["none"]
    assert mine[1:] == plain[1:]  # names, dtypes, scales and zero points
    assert np.abs(mine[0].astype(int) - plain[0]).max() <= 2


def test_sixteen_bits_on_a_gpu_have_to_be_asked_for(tiny_models, tmp_path, swiftshader):
    found = {}
    for exact in (True, False):
        options = {"vulkan_driver": swiftshader, "enforce_f32": exact}
        LocalTransport().run(job(tiny_models, tmp_path, delegate="gpu", options=options))
        found[exact] = np.load(tmp_path / "outputs.npy")
    LocalTransport().run(job(tiny_models, tmp_path, delegate="none"))
    plain = np.load(tmp_path / "outputs.npy")
    assert np.abs(found[True] - plain).max() <= np.abs(found[False] - plain).max()
    assert np.abs(found[True] - plain).max() < 1e-5


@pytest.mark.parametrize(
    ("file", "asked", "complaint"),
    [
        ("float.tflite", ("litert", "npu", {"colour": 1}), "'npu' has no option 'colour'"),
        ("float.tflite", ("litert", "gpu", {"enforce": 1}), "'gpu' has no option 'enforce'"),
        (
            "float.tflite",
            ("litert", "gpu", {"enforce_f32": "perhaps"}),
            "'gpu': enforce_f32 is 'perhaps'",
        ),
        ("float.tflite", ("litert", "none", {"a": 1}), "the delegate 'none' has no options"),
        ("float.onnx", ("onnxruntime", None, {"a": 1}), "options of no delegate: a"),
        ("float.onnx", ("onnxruntime", "tensorrt", {"allow_cuda": 2}), "allow_cuda: 2 is no flag"),
        ("float.xml", ("openvino", "CPU", {"COLOUR": 1}), "CPU has no property 'COLOUR'"),
    ],
)
def test_an_option_that_a_delegate_lacks_is_refused(tiny_models, tmp_path, file, asked, complaint):
    runtime, delegate, options = asked
    told = job(tiny_models, tmp_path, file, runtime, delegate=delegate, options=options)
    with pytest.raises(EdgekitError, match=complaint):
        LocalTransport().run(told)


def test_an_option_of_openvino_reaches_it(tiny_models):
    core = pytest.importorskip("openvino").Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor computes no bf16")
    model = Openvino().load(
        tiny_models / "float.xml",
        threads=1,
        delegate="CPU",
        options={"INFERENCE_PRECISION_HINT": "bf16"},
    )
    assert model.facts["inference_precision"] == "bf16"


@needs_qnn
def test_qualcomms_simulator_runs_all_of_a_file_and_tells_no_latency(tiny_models, tmp_path):
    board = LocalTransport(QNN)
    asked = job(tiny_models, tmp_path, "float.onnx", "onnxruntime", delegate="qnn")
    result = board.run(asked)
    assert result.placement.executors == {"QNN": 1}  # one node that holds the whole graph
    found = np.load(tmp_path / "outputs.npy")
    board.run(replace(asked, delegate=None))
    np.testing.assert_allclose(found, np.load(tmp_path / "outputs.npy"), rtol=1e-3)
    with pytest.raises(DeviceError, match="no latency from here: Qualcomm"):
        board.run(replace(asked, action="measure"))


@needs_qnn
def test_qualcomms_simulator_refuses_open_sizes_and_a_library_that_is_not_there(
    tiny_models, tmp_path
):
    board = LocalTransport(QNN)
    asked = job(tiny_models, tmp_path, "pair.onnx", "onnxruntime", delegate="qnn")
    with pytest.raises(DeviceError, match=r"'qnn' cannot run all of pair\.onnx"):
        board.run(asked)
    nowhere = {"backend_path": str(Path("nowhere") / "libQnnHtp.so")}
    with pytest.raises(DeviceError, match="delegate 'qnn' is not present"):
        board.run(replace(asked, model=str(tiny_models / "float.onnx"), options=nowhere))
