from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DataError, RuntimeFault
from edgekit.feeding import encode, run_samples
from edgekit.job import Job
from edgekit.samples import read_samples, samples_at, write_samples
from edgekit.tensor import TensorInfo
from edgekit.transports.local import LocalTransport

FLOAT = TensorInfo("image", "float32", (1, 8, 8, 3))


def job(model, runtime="onnxruntime"):
    return Job(action="run", runtime=runtime, model=str(model))


def run(tmp_path, tiny_models, samples, *, model="float.onnx", runtime="onnxruntime", **tensors):
    place = write_samples(tmp_path / "samples", samples)
    return run_samples(
        LocalTransport(), job(tiny_models / model, runtime),
        samples=place, scratch=tmp_path,
        **{"inputs": [FLOAT], "outputs": [TensorInfo("logits", "float32", (1, 4))], **tensors},
    )  # fmt: skip


def test_one_array_is_a_file_and_several_are_a_folder(tmp_path):
    one, two = np.arange(6.0).reshape(2, 3), np.arange(4).reshape(2, 2)
    single = write_samples(tmp_path / "single", {"a": one})
    several = write_samples(tmp_path / "several", {"a": one, "b": two})
    assert single == tmp_path / "single.npy"
    assert several.is_dir()
    assert np.array_equal(read_samples(single, ["a"])["a"], one)
    found = read_samples(several, ["b", "a"])
    assert list(found) == ["b", "a"]
    assert np.array_equal(found["b"], two)


def test_samples_lie_in_one_file_or_in_a_folder(tmp_path):
    assert samples_at(tmp_path) == tmp_path / "inputs"
    (tmp_path / "inputs.npy").touch()
    assert samples_at(tmp_path) == tmp_path / "inputs.npy"


@pytest.mark.parametrize(
    ("dtype", "tensor"),
    [
        ("float32", FLOAT),
        ("uint8", TensorInfo("image", "uint8", (1, 8, 8, 3), 1.0, 0)),
        ("uint8", TensorInfo("image", "uint8", (1, 8, 8, 3))),
    ],
)
def test_samples_that_already_fit_are_fed_as_they_lie(tmp_path, dtype, tensor):
    place = write_samples(tmp_path / "samples", {"image": np.zeros((2, 8, 8, 3), dtype)})
    assert encode(place, [tensor], tmp_path) == place


@given(st.integers(0, 255), st.sampled_from(["int8", "uint8"]))
def test_a_byte_reaches_a_quantized_input_as_the_same_number(tmp_path_factory, pixel, dtype):
    folder = tmp_path_factory.mktemp("fed")
    place = write_samples(folder / "samples", {"x": np.full((1, 2), pixel, np.uint8)})
    zero = -128 if dtype == "int8" else 0
    fed = np.load(encode(place, [TensorInfo("x", dtype, (1, 2), 1.0, zero)], folder))
    assert fed.dtype == dtype
    assert (fed.astype(int) - zero == pixel).all()


def test_samples_of_another_shape_are_refused_with_both_shapes(tmp_path):
    place = write_samples(tmp_path / "samples", {"image": np.zeros((2, 4, 4, 3), np.float32)})
    with pytest.raises(DataError, match=r"have the shape \[4, 4, 3\], the file wants \[8, 8, 3\]"):
        encode(place, [FLOAT], tmp_path)


def test_nan_outputs_are_a_fault_that_names_the_first_sample(tmp_path, tiny_models):
    samples = np.full((3, 8, 8, 3), 0.5, np.float32)
    samples[1] = -1.0
    given = [TensorInfo("logarithm", "float32", (1, 8, 8, 3))]
    with pytest.raises(RuntimeFault, match="192 output values are NaN or infinite") as caught:
        run(tmp_path, tiny_models, {"image": samples}, model="logarithm.onnx", outputs=given)
    assert caught.value.details == ("the first is sample 1",)


@pytest.mark.parametrize(
    ("runtime", "model"), [("onnxruntime", "pair.onnx"), ("openvino", "pair.xml")]
)
def test_several_inputs_and_outputs_go_by_name(tmp_path, tiny_models, runtime, model):
    left, right = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    (product, total), _ = run(
        tmp_path, tiny_models, {"left": left, "right": right}, model=model, runtime=runtime,
        inputs=[TensorInfo(name, "float32", (-1, 5)) for name in ("right", "left")],
        outputs=[TensorInfo(name, "float32", (-1, 5)) for name in ("product", "sum")],
    )  # fmt: skip
    assert np.allclose(product, left * right)
    assert np.allclose(total, left + right)


def test_integer_outputs_come_back_as_real_numbers(tmp_path, tiny_models):
    from edgekit.exporters import tflite_file

    graph = tflite_file.inspect(tiny_models / "int8.tflite")
    samples = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    files = {"model": "int8.tflite", "runtime": "litert"}
    (outputs,), _ = run(
        tmp_path, tiny_models, {"image": samples}, **files,
        inputs=graph.inputs, outputs=graph.outputs,
    )  # fmt: skip
    steps = outputs / np.float32(graph.outputs[0].scale)
    assert outputs.dtype == np.float32
    assert np.allclose(steps, np.rint(steps), atol=1e-3)
