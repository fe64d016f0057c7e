"""What is built from the checkout is whole: models and devices travel with the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with a wheel and an sdist."""
    place = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(place)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        check=True,
    )
    return place


def test_an_installed_wheel_finds_its_own_models_devices_and_plug_ins(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    installed = tmp_path / "installed"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--disable-pip-version-check", "--target", str(installed), str(wheel),
        ],
        check=True,
    )  # fmt: skip
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "edgekit", verb, "--json"],
            env={**os.environ, "PYTHONPATH": str(installed)},
            cwd=tmp_path,
            capture_output=True,
            check=True,
        ).stdout
        for verb in ("models", "devices")
    ]
    models, devices = (json.loads(output) for output in outputs)
    (mobilenet,) = [model for model in models["models"] if model["name"] == "mobilenet"]
    assert Path(mobilenet["folder"]).is_relative_to(installed)
    assert mobilenet["checkpoints"]
    (local,) = [device for device in devices["devices"] if device["name"] == "local-cpu"]
    assert Path(local["file"]).is_relative_to(installed)
    assert local["reachable"]


def test_an_sdist_holds_every_file_of_the_repository(built, checkout):
    if not (checkout / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    assert {name for name in listed.split("\0") if name} <= held
