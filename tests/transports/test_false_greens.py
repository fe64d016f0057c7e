"""Four ways in which an accelerator that does nothing looks like one that works.

Each test first shows what the runtime itself would say, and then that edgekit refuses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.agent.runtimes.litert import Litert
from edgekit.agent.runtimes.onnxruntime import Onnxruntime
from edgekit.errors import DeviceError
from edgekit.job import Job, Timing
from edgekit.transports.emulated import EmulatedTransport
from edgekit.transports.local import LocalTransport

MODEL = {"litert": "float.tflite", "onnxruntime": "float.onnx"}

RAW_NPU = """
import sys
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator as Kind
model = CompiledModel.from_file(sys.argv[1], hardware_accel=Kind.NPU | Kind.CPU)
print("fully accelerated:", model.is_fully_accelerated())
"""

# The same loaded model, called as LiteRT's API is, and as edgekit times it.
RAW_GPU = """
import json, sys, time
from pathlib import Path
import numpy as np
from edgekit.agent.runtimes.litert import Litert

model = Litert().load(
    Path(sys.argv[1]), threads=1, delegate="gpu", options={"vulkan_driver": sys.argv[2]}
)
model([np.ones(tensor.shape, tensor.dtype) for tensor in model.inputs])

def spent(call):
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start

def bare():
    model._compiled.run_by_index(0, model._fed, model._filled)

alone, timed, reading = [], [], []
for _ in range(30):
    alone.append(spent(bare))
    model.invoke()
    timed.append(spent(model.invoke))
    reading.append(spent(model.get_outputs))
print(json.dumps([sorted(one)[len(one) // 2] for one in (alone, timed, reading)]))
"""


def job(tiny_models, folder, runtime="litert", **changes):
    np.save(folder / "inputs.npy", np.random.default_rng(4).random((3, 8, 8, 3), np.float32))
    told = {
        "action": "run", "runtime": runtime, "model": str(tiny_models / MODEL[runtime]),
        "inputs": str(folder / "inputs.npy"), "outputs": str(folder / "outputs.npy"),
        "timing": Timing(warmup_calls=2, seconds=0.01, min_calls=3),
    }  # fmt: skip
    return Job(**{**told, **changes})


def python(code, *arguments, checkout):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=True, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )  # fmt: skip
    return done.stdout


def test_an_npu_that_is_not_there_is_no_processor_that_calls_itself_accelerated(
    tiny_models, tmp_path, checkout
):
    told = python(RAW_NPU, tiny_models / "float.tflite", checkout=checkout)
    if "fully accelerated: True" not in told:
        pytest.skip(f"this LiteRT does not claim it any more: {told!r}")
    with pytest.raises(DeviceError, match="delegate 'npu' is not present on this device") as caught:
        LocalTransport().run(job(tiny_models, tmp_path, delegate="npu"))
    assert any("not accelerated" in detail for detail in caught.value.details)
    assert caught.value.hint.startswith("it needs an NPU")
    assert not (tmp_path / "outputs.npy").exists()


def test_what_is_timed_of_a_gpu_holds_the_work_and_not_only_its_beginning(
    tiny_models, checkout, swiftshader
):
    told = python(RAW_GPU, tiny_models / "busy.tflite", swiftshader, checkout=checkout)
    alone, timed, reading = json.loads(told.splitlines()[-1])
    assert timed > 3 * alone  # here about 0.8 ms against 0.06 ms
    assert timed > 3 * reading  # nothing is left to wait for when outputs are asked for


@pytest.mark.parametrize("action", ["measure", "memory", "energy"])
def test_time_of_a_gpu_that_a_processor_plays_is_refused(
    tiny_models, tmp_path, swiftshader, action
):
    asked = job(
        tiny_models, tmp_path, delegate="gpu", options={"vulkan_driver": swiftshader}, action=action
    )
    with pytest.raises(DeviceError, match="no latency from here: SwiftShader") as caught:
        LocalTransport().run(asked)
    assert "edgekit eval" in caught.value.hint
    if action == "measure":
        with (
            pytest.raises(DeviceError, match="no latency from here: SwiftShader"),
            LocalTransport().session(asked),
        ):
            pass


def test_a_provider_that_is_listed_and_runs_nothing_is_not_present(tiny_models, tmp_path):
    import onnxruntime

    if "AzureExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this build of onnxruntime lists no provider that runs nothing")
    raw = onnxruntime.InferenceSession(
        str(tiny_models / "float.onnx"), providers=["AzureExecutionProvider"]
    )
    assert raw.get_providers()[0] == "AzureExecutionProvider"
    assert raw.run(None, {"image": np.ones((1, 8, 8, 3), np.float32)})[0].shape == (1, 4)
    with pytest.raises(DeviceError, match="delegate 'azure' is not present") as caught:
        LocalTransport().run(job(tiny_models, tmp_path, "onnxruntime", delegate="azure"))
    assert caught.value.details[0].startswith("it is listed, and runs nothing")
    with pytest.raises(DeviceError, match="delegate 'azure' is not present"):
        Onnxruntime().look_for("azure")


def test_xnnpack_that_takes_nothing_is_an_error(tmp_path, whole_numbers):
    model = Litert().load(whole_numbers, threads=1, delegate="xnnpack")
    taken = [np.arange(4, dtype=np.int32).reshape(1, 4)]
    assert model(taken)[0].tolist() == [[0, 2, 4, 6]]  # it computes: nothing looks wrong
    assert model.placement().delegated == 0
    np.save(tmp_path / "inputs.npy", taken[0])
    asked = Job(
        action="run",
        runtime="litert",
        model=str(whole_numbers),
        delegate="xnnpack",
        inputs=str(tmp_path / "inputs.npy"),
        outputs=str(tmp_path / "outputs.npy"),
    )
    with pytest.raises(DeviceError, match="'xnnpack' was asked for and runs none of the 1 ops"):
        LocalTransport().run(asked)


def test_xnnpack_that_litert_drops_under_an_emulator_is_an_error(
    tiny_models, tmp_path, monkeypatch
):
    """Without qemu: such a board answers as LiteRT's own kernels do, here."""
    dropped = LocalTransport().run(job(tiny_models, tmp_path, delegate="none"))
    root = tmp_path / "root"
    for place in ("proc/cpuinfo", "sys/devices/system/cpu/possible", "usr/bin/python3", "tmp/-"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).touch()

    class Answering:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def call(self, told, **_):
            (root / told["outputs"].lstrip("/")).touch()
            return dropped.to_json()

    monkeypatch.setattr("edgekit.transports.emulated.Child", Answering)
    board = EmulatedTransport(root)
    with pytest.raises(DeviceError, match="LiteRT dropped XNNPACK under qemu: none of 3 ops"):
        board.run(job(tiny_models, tmp_path))
    assert board.run(job(tiny_models, tmp_path, delegate="none")).placement.delegated == 0


@pytest.fixture(scope="module")
def whole_numbers(tmp_path_factory) -> Path:
    """A file with one ADD of int32, which XNNPACK does not take."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name):
        made = schema.TensorT()
        made.name, made.shape, made.type = name, [1, 4], schema.TensorType.INT32
        return made

    code, add, graph, model = (
        schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT(),
    )  # fmt: skip
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    add.inputs, add.outputs = [0, 0], [1]
    add.builtinOptionsType = schema.BuiltinOptions.AddOptions
    add.builtinOptions = schema.AddOptionsT()
    graph.tensors, graph.operators = [tensor("a"), tensor("b")], [add]
    graph.inputs, graph.outputs = [0], [1]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(64)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path_factory.mktemp("whole") / "whole.tflite"
    path.write_bytes(builder.Output())
    return path
