from __future__ import annotations

import numpy as np
import pytest

from edgekit.exporters import tflite_file
from edgekit.exporters.base import Conversion
from edgekit.exporters.worker import ENTRY
from edgekit.process import Child
from edgekit.quantization.condition.grid import codes
from edgekit.quantization.files.description import Reading
from edgekit.quantization.files.tflite_graph import LINEAR, interpreter
from edgekit.quantization.files.tflite_source import condition_tflite, prepare_tflite


@pytest.fixture(scope="module")
def made(tflite_files, tmp_path_factory):
    """Folders: the float file ready, conditioned, and int8 of both."""
    base = tmp_path_factory.mktemp("tflite")
    (base / "calibration").mkdir()
    (base / "file").mkdir()
    np.save(base / "calibration" / "inputs.npy", np.load(tflite_files / "rows.npz")["x"])
    reading = Reading(limits=(0.0, 1.0))
    description = prepare_tflite(tflite_files / "small.tflite", base / "file", reading)
    found = condition_tflite(base / "file", base / "calibration", base / "conditioned")
    assert (found.rounded, found.corrected) == (5, 5)
    with Child(ENTRY) as child:
        for name in ("file", "conditioned"):
            (base / f"{name}-int8").mkdir()
            conversion = Conversion(
                "int8", "native", base / name, base / f"{name}-int8", (description.specs[0],),
                base / "calibration",
            )  # fmt: skip
            child.call({"do": "convert", "target": "tflite", "conversion": conversion.to_json()})
    return base


def outputs(base, name):
    opened = interpreter((base / name / "model.tflite").read_bytes())
    taken, given = opened.get_input_details()[0], opened.get_output_details()[0]
    found = []
    for row in np.load(base / "calibration" / "inputs.npy"):
        opened.set_tensor(taken["index"], row[None])
        opened.invoke()
        found.append(opened.get_tensor(given["index"])[0])
    return np.array(found)


def kernels(base, name, dtype):
    """(Name of the operator, kernel) of each linear operator, in order."""
    model = tflite_file.unpack((base / name / "model.tflite").read_bytes())
    main = model.subgraphs[0]
    found = []
    for operator in main.operators:
        kind = tflite_file.operator_name(model.operatorCodes[operator.opcodeIndex])
        if kind in LINEAR:
            tensor = main.tensors[operator.inputs[1]]
            data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
            found.append((kind, data.view(dtype).reshape([int(n) for n in tensor.shape])))
    return found


def test_conditioning_saves_what_a_huge_weight_costs(made):
    wanted = outputs(made, "file")
    power = (wanted**2).mean()
    stock, own = (
        10 * np.log10(power / ((outputs(made, name) - wanted) ** 2).mean())
        for name in ("file-int8", "conditioned-int8")
    )
    assert own > stock + 3, (stock, own)


def test_int8_numbers_of_every_kernel_survive_the_quantizer(made):
    conditioned = kernels(made, "conditioned", np.float32)
    written = kernels(made, "conditioned-int8", np.int8)
    assert len(conditioned) == 5
    for (kind, real), (_, whole) in zip(conditioned, written, strict=True):
        np.testing.assert_array_equal(codes(real, (LINEAR[kind].axis,)), whole)


def test_output_means_of_the_quantized_file_are_the_float_ones(made):
    wanted, found = outputs(made, "file"), outputs(made, "conditioned-int8")
    assert np.abs(found.mean(0) - wanted.mean(0)).max() < 0.02 * wanted.std()
