from __future__ import annotations

import shutil

import numpy as np
import pytest

from edgekit.artifact import Artifact, Manifest, Parity, TensorInfo, describe_files, write_manifest
from edgekit.spec import InputSpec

SPEC = InputSpec(name="image", dtype="float32", shape=(8, 8, 3), range=(0.0, 1.0))
FILES = {
    "tflite": ("litert", "model.tflite", "Identity", ["float.tflite"]),
    "onnx": ("onnxruntime", "model.onnx", "logits", ["float.onnx"]),
    "openvino": ("openvino", "model.xml", "logits", ["float.xml", "float.bin"]),
}
INT8_OUTPUT = TensorInfo("Identity", "int8", (1, 4), 0.0008651085663586855, -5)


@pytest.fixture
def make_artifact(tiny_models, tmp_path):
    """Make an artifact of a tiny model; keyword arguments replace fields of its manifest."""

    def make(target="tflite", *, precision="fp32", labels="0123", **fields):
        runtime, model_file, output, files = FILES[target]
        folder = tmp_path / "build" / "tiny" / f"{target}-{precision}"
        (folder / "golden").mkdir(parents=True)
        for file in files:
            source = tiny_models / file.replace("float", "int8" if precision == "int8" else "float")
            shutil.copy(source, folder / f"model{source.suffix}")
        if labels:
            (folder / "labels.txt").write_text("\n".join(labels) + "\n")
        samples = np.random.default_rng(5).random((6, 8, 8, 3), np.float32)
        np.save(folder / "golden" / "inputs.npy", samples)
        taken = TensorInfo("image", "float32", (1, 8, 8, 3))
        given = TensorInfo(output, "float32", (1, 4))
        if precision == "int8":
            taken = TensorInfo("image", "int8", (1, 8, 8, 3), 0.0039213490672409534, -128)
            given = INT8_OUTPUT
        values = {
            "key": "0" * 64,
            "model": "tiny",
            "dataset": None,
            "target": target,
            "precision": precision,
            "io": "native",
            "chain": ("keras", target),
            "runtime": runtime,
            "model_file": model_file,
            "files": describe_files(folder),
            "inputs": (taken,),
            "outputs": (given,),
            "activation": "softmax",
            "preprocessing": (SPEC,),
            "ops": {"CONV_2D": 1},
            "dtypes": {"float32": 5},
            "calibration": None,
            "evaluation": None,
            "parity": Parity(1.5e-7, 1.0, 12),
            "metric": None,
            **fields,
        }
        write_manifest(folder, Manifest(**values))
        return Artifact.open(folder)

    return make


@pytest.fixture
def dataset(tmp_path):
    """An `.npz` of random pictures with four classes."""
    random = np.random.default_rng(1)
    path = tmp_path / "pictures.npz"
    np.savez(
        path,
        x_train=random.random((8, 8, 8, 3), np.float32),
        y_train=np.arange(8) % 4,
        x_test=random.random((40, 8, 8, 3), np.float32),
        y_test=np.arange(40) % 4,
    )
    return path
