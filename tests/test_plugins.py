"""A separately installed package adds a target, a transport, a model and devices to edgekit."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

# Without a `--data` option a model needs its own weights: made here, as its author would.
MAKE_WEIGHTS = """
import sys
from dummy_plugin.shelf.models.dummy.model import build
build(4).save_weights(sys.argv[1])
"""


@pytest.fixture(scope="module")
def plug_in(tmp_path_factory):
    """Environment in which the package is installed, built from its source by pip."""
    place = tmp_path_factory.mktemp("plug_in")
    source = os.path.join(os.path.dirname(__file__), "plugin_package")  # noqa: PTH118, PTH120
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-build-isolation", "--disable-pip-version-check", "--target", str(place), source,
        ],
        check=True,
    )  # fmt: skip
    inherited = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(place), inherited)))}


def edgekit(environment, *arguments, status=0, **more):
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        **more,
    )
    assert done.returncode == status, done.stderr
    return done


def test_its_model_and_device_are_listed_beside_edgekits_own(plug_in):
    models = json.loads(edgekit(plug_in, "models", "--json").stdout)
    assert {"dummy", "mobilenet"} <= {model["name"] for model in models["models"]}
    devices = json.loads(edgekit(plug_in, "devices", "--json").stdout)
    assert {"dummy-board", "local-cpu"} <= {device["name"] for device in devices["devices"]}


def test_its_broken_shelf_is_a_warning_that_names_the_package(plug_in):
    done = edgekit(plug_in, "models")
    assert "warning: broken: the plug-in dummy-plugin (dummy_plugin.absent:shelf)" in done.stderr
    assert "dummy " in done.stdout


def test_its_target_is_planned_after_the_step_it_starts_from(plug_in, tmp_path):
    weights = tmp_path / "dummy.weights.h5"
    weights.touch()
    plan = json.loads(
        edgekit(
            plug_in, "export", "dummy", "--target", "dummy", "--precision", "fp32",
            "--weights", weights, "--dry-run", "--json", cwd=tmp_path,
        ).stdout
    )["plan"]  # fmt: skip
    assert [(step["step"], step["artifact"]) for step in plan] == [
        ("tflite-fp32", False),
        ("dummy-fp32", True),
    ]


def test_its_target_exports_its_model_with_proof(plug_in, tmp_path):
    weights = tmp_path / "dummy.weights.h5"
    subprocess.run(
        [sys.executable, "-c", MAKE_WEIGHTS, str(weights)],
        env={**plug_in, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
    )
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "own.npz",
        x=random.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8),
        y=np.arange(40) % 4,
    )
    done = edgekit(
        plug_in, "export", "dummy", "--target", "dummy", "--precision", "fp32",
        "--weights", weights, "--data", tmp_path / "own.npz", "--json", cwd=tmp_path,
    )  # fmt: skip
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert (artifact["target"], artifact["precision"]) == ("dummy", "fp32")
    assert artifact["parity"]["max_abs"] < 1e-4
    assert (tmp_path / "build" / "dummy" / "dummy-fp32" / "model.dummy").is_file()


def test_its_transport_carries_what_edgekits_own_carry(plug_in, make_artifact, dataset, tmp_path):
    artifact = make_artifact()
    environment = {**plug_in, "EDGEKIT_STORE": str(tmp_path / "store.sqlite")}

    def document(*arguments):
        return json.loads(edgekit(environment, *arguments, "--json", cwd=tmp_path).stdout)

    rack, here = (
        document("eval", artifact.path, "--data", dataset, "--device", device)
        for device in ("dummy-rack", "local-cpu")
    )
    assert rack["metric"] == here["metric"]
    assert rack["resumed"]["total"] == 40
    checked = document("devices", "check", "dummy-rack")
    verdicts = {step["what"]: step["verdict"] for step in checked["steps"]}
    assert checked["passed"]
    assert verdicts["computes tflite-int8"] == verdicts["times tflite-fp32"] == "ok"
    words = ("--rounds", "2", "--seconds", "0.02", "--passes", "none")
    (row,) = document("profile", artifact.path, "--device", "dummy-rack", *words)["rows"]
    assert len(row["calls_of_processes"]) == 2


def test_its_transports_table_is_checked_as_any(plug_in, tmp_path):
    profile = tmp_path / "rack.toml"
    profile.write_text('transport = "dummy-rack"\n[dummy-rack]\nshelf = 99\n')
    done = edgekit(plug_in, "devices", "check", profile, status=1)
    assert "rack.toml: dummy-rack: shelf: 99 is outside 1…40" in done.stderr


def test_without_the_package_its_target_and_model_are_unknown(tmp_path):
    done = edgekit(os.environ, "export", "dummy", status=2, cwd=tmp_path)
    assert done.stderr.startswith("error: unknown model 'dummy'")
    done = edgekit(os.environ, "export", "mobilenet", "--target", "dummy", status=2, cwd=tmp_path)
    assert done.stderr.startswith("error: unknown target 'dummy'")
