from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.exporters import tflite_file
from edgekit.exporters.tflite_weights import halve, shrink_kernels


@pytest.fixture(scope="module")
def content(tflite_files):
    """A convolution and a product, both wide enough."""
    return (tflite_files / "wide.tflite").read_bytes()


def run(content, rows):
    opened = Interpreter(model_content=content)
    opened.allocate_tensors()
    taken, given = opened.get_input_details()[0], opened.get_output_details()[0]
    found = []
    for row in rows:
        opened.set_tensor(taken["index"], row[None])
        opened.invoke()
        found.append(opened.get_tensor(given["index"])[0])
    return np.array(found)


@pytest.mark.parametrize(
    ("change", "expected"),
    [(halve, ("float16", 55, 0.6)), (shrink_kernels, ("int8", 30, 0.4))],
)
def test_a_file_with_smaller_constants_gives_nearly_the_same(
    tflite_files, tmp_path, content, change, expected
):
    dtype, least_db, largest = expected
    rows = np.load(tflite_files / "rows.npz")["x"][:16]
    changed = change(content)
    wanted, found = run(content, rows), run(changed, rows)
    signal = 10 * np.log10(np.square(wanted).mean() / np.square(found - wanted).mean())
    assert signal > least_db
    assert len(changed) < largest * len(content)
    (tmp_path / "model.tflite").write_bytes(changed)
    graph = tflite_file.inspect(tmp_path / "model.tflite")
    assert graph.dtypes[dtype] == 3
    assert {tensor.dtype for tensor in (*graph.inputs, *graph.outputs)} == {"float32"}


@pytest.mark.parametrize("change", [halve, shrink_kernels])
def test_small_constants_stay_as_they_are(tflite_files, tmp_path, change):
    (tmp_path / "model.tflite").write_bytes(change((tflite_files / "small.tflite").read_bytes()))
    assert not {"float16", "int8"} & set(tflite_file.inspect(tmp_path / "model.tflite").dtypes)
