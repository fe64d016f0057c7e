"""An artifact whose call takes a fraction of a millisecond, and runs in figures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare.delayed import installed
from edgekit.artifact import Artifact, describe_files, write_manifest
from edgekit.manifest import Manifest, Parity
from edgekit.run import Contender, Run, Turn
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo

SHAPE = (1, 48, 48, 16)
METRIC = {
    "name": "top1",
    "samples": 40,
    "value": 97.5,
    "ci95": [86.0, 99.6],
    "reference": 98.0,
    "drop": 0.5,
    "drop_ci95": [-0.2, 1.2],
}


@pytest.fixture(scope="session")
def make_conv():
    """Write an ONNX artifact of two convolutions and a mean into a folder."""

    def make(folder: Path, *, seed=7, **fields) -> Artifact:
        _save_model(folder, seed)
        (folder / "golden").mkdir()
        samples = np.random.default_rng(5).random((6, *SHAPE[1:]), np.float32)
        np.save(folder / "golden" / "inputs.npy", samples)
        values = {
            "key": "0" * 64, "model": "conv", "dataset": None, "target": "onnx",
            "precision": "fp32", "io": "native", "chain": ("keras", "onnx"),
            "runtime": "onnxruntime", "model_file": "model.onnx", "files": describe_files(folder),
            "inputs": (TensorInfo("image", "float32", SHAPE),),
            "outputs": (TensorInfo("logits", "float32", (1, 16)),),
            "activation": "softmax",
            "preprocessing": (
                InputSpec(name="image", dtype="float32", shape=SHAPE[1:], range=(0.0, 1.0)),
            ),
            "ops": {"Conv": 2}, "dtypes": {"float32": 5}, "calibration": None, "evaluation": None,
            "parity": Parity(1.5e-7, 1.0, 12), "metric": METRIC,
            **fields,
        }  # fmt: skip
        write_manifest(folder, Manifest(**values))
        return Artifact.open(folder)

    return make


@pytest.fixture(scope="session")
def conv(make_conv, tmp_path_factory) -> Path:
    """The folder of such an artifact."""
    folder = tmp_path_factory.mktemp("conv") / "onnx-fp32"
    folder.mkdir()
    return make_conv(folder).path


@pytest.fixture(scope="session")
def edgekit(tmp_path_factory):
    """Run the command line in a process of its own, with runtimes of plug-ins within reach."""
    plug_in = tmp_path_factory.mktemp("plug-in")
    info = plug_in / "noisy_runtime-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy-runtime\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "[edgekit.runtimes]\nonnxruntime-noisy = noisy_runtime:Noisy\n"
    )
    paths = [str(plug_in), str(Path(__file__).parent)]

    def run(*arguments, folder, **environment):
        with installed():
            path = os.pathsep.join([*paths, os.environ["PYTHONPATH"]])
            hidden = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE")
            known = {key: value for key, value in os.environ.items() if key not in hidden}
            return subprocess.run(
                [sys.executable, "-m", "edgekit", *map(str, arguments)],
                cwd=folder,
                env={**known, "PYTHONPATH": path, **environment},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )

    return run


@pytest.fixture(scope="session")
def make_run(measured):
    """A run in figures: name of a contender → its ms in each round."""

    def make(environment=None, command="profile", **rounds):
        contenders = tuple(
            Contender(
                name=name, model="m", target="onnx", precision="fp32", sha256=f"{at:064x}",
                bytes=10**6, path=f"build/{name}", runtime="onnxruntime", delegate=None, threads=1,
            )
            for at, name in enumerate(sorted(rounds))
        )  # fmt: skip
        turns = tuple(
            Turn(at, number, at, 0, float(number), measured(2 * ms)[0])
            for at, name in enumerate(sorted(rounds))
            for number, ms in enumerate(rounds[name])
        )
        return Run(
            key="k", command=command, device="local-cpu", started="2026-11-21T10:00:00Z",
            rules={}, environment=environment or {"cpu_model": "Testing 9000"},
            contenders=contenders, turns=turns,
        )  # fmt: skip

    return make


def _save_model(folder: Path, seed: int) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["logits"]),
    ]
    weights = [
        numpy_helper.from_array(random.normal(size=(16, 16, 3, 3)).astype(np.float32), name)
        for name in ("w1", "w2")
    ]
    graph = helper.make_graph(
        nodes,
        "conv",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 16))],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, folder / "model.onnx")
