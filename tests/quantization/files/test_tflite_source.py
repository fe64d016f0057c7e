from __future__ import annotations

import re

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.exporters import tflite_file
from edgekit.quantization.files.description import Reading
from edgekit.quantization.files.tflite_graph import interpreter
from edgekit.quantization.files.tflite_source import prepare_tflite

READING = Reading(limits=(0.0, 1.0))


@pytest.fixture
def prepare(tmp_path):
    def run(path, reading=READING):
        folder = tmp_path / "file"
        folder.mkdir(exist_ok=True)
        return prepare_tflite(path, folder, reading), folder / "model.tflite"

    return run


def outputs(content, rows):
    opened = interpreter(content)
    taken, given = opened.get_input_details()[0], opened.get_output_details()[0]
    found = []
    for row in rows:
        opened.set_tensor(taken["index"], np.asarray(row, taken["dtype"])[None])
        opened.invoke()
        found.append(opened.get_tensor(given["index"])[0])
    return np.array(found)


@pytest.fixture
def samples(tflite_files):
    return np.load(tflite_files / "rows.npz")["x"]


def test_a_file_is_described_and_computes_the_same(prepare, tflite_files, samples):
    found, path = prepare(tflite_files / "small.tflite")
    assert (found.specs[0].name, found.specs[0].shape, found.specs[0].layout) == (
        "image",
        (16, 16, 3),
        "HWC",
    )
    assert [tensor.shape for tensor in found.outputs] == [(1, 4)]
    assert found.cost["multiply_adds"] > 10_000
    wanted = outputs((tflite_files / "small.tflite").read_bytes(), samples[:3])
    np.testing.assert_array_equal(outputs(path.read_bytes(), samples[:3]), wanted)


def test_pixels_that_are_cast_first_become_a_float_input(prepare, tflite_files, samples):
    found, path = prepare(tflite_files / "pixels.tflite", Reading())
    assert (found.specs[0].dtype, found.specs[0].range) == ("uint8", (0.0, 255.0))
    assert [tensor.dtype for tensor in found.inputs] == ["float32"]
    rows = (samples[:3] * 255).astype(np.uint8)
    wanted = outputs((tflite_files / "pixels.tflite").read_bytes(), rows)
    np.testing.assert_allclose(outputs(path.read_bytes(), rows), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dynamic", "quantized already"),
        ("half", "of 16 bits"),
        ("weightless", "nothing in it has weights"),
    ],
)
def test_what_is_no_float_file_is_refused(prepare, tflite_files, name, said):
    with pytest.raises(ModelError, match=said):
        prepare(tflite_files / f"{name}.tflite")


def test_a_weight_that_is_not_finite_is_named(prepare, tflite_files, tmp_path):
    model = tflite_file.unpack((tflite_files / "small.tflite").read_bytes())
    main = model.subgraphs[0]
    kernel = main.tensors[main.operators[0].inputs[1]]
    values = np.array(model.buffers[kernel.buffer].data, np.uint8).view(np.float32)
    values[:3] = np.nan, np.inf, -np.inf
    model.buffers[kernel.buffer].data = values.view(np.uint8)
    path = tmp_path / "diverged.tflite"
    path.write_bytes(tflite_file.pack(model))
    said = f"the weight {kernel.name.decode()} holds 3 values that are NaN or infinite"
    with pytest.raises(ModelError, match=re.escape(said)):
        prepare(path)


def test_custom_operators_are_named(prepare, tflite_files, tmp_path):
    model = tflite_file.unpack((tflite_files / "small.tflite").read_bytes())
    model.operatorCodes[0].customCode = b"FlexErf"
    path = tmp_path / "flex.tflite"
    path.write_bytes(tflite_file.pack(model))
    with pytest.raises(ModelError, match="FlexErf"):
        prepare(path)


def test_several_subgraphs_are_refused(prepare, tflite_files, tmp_path):
    model = tflite_file.unpack((tflite_files / "small.tflite").read_bytes())
    model.subgraphs.append(model.subgraphs[0])
    path = tmp_path / "loop.tflite"
    path.write_bytes(tflite_file.pack(model))
    with pytest.raises(ModelError, match="2 subgraphs"):
        prepare(path)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x00" * 64, b"\xff\xff\xff\x7fTFL3" + b"x" * 40]
)
def test_what_is_no_tflite_file_is_refused(prepare, tmp_path, content):
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"empty|not a TFLite|damaged"):
        prepare(path)
