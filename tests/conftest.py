"""What every test gets: a cache of its run's own, and a folder to stand in."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from hypothesis import settings

# A busy machine is no counterexample.
settings.register_profile("edgekit", deadline=None)
settings.load_profile("edgekit")


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_run(tmp_path_factory):
    """Nothing is read from or left in the user's cache; workers of one run share one."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE", str(shared / "cache"))
        patch.delenv("EDGEKIT_DEBUG", raising=False)
        yield


@pytest.fixture
def tests_folder() -> Path:
    return Path(__file__).parent


@pytest.fixture
def checkout(tests_folder) -> Path:
    """The top of the source tree."""
    return tests_folder.parent


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> Path:
    """A folder of models of a few kilobytes, made once per run by `make_tiny_models.py`."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "tiny-models"
    with (shared / "tiny-models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other workers wait for the one that makes them
        if not folder.exists():
            making = shared / "tiny-models.part"
            making.mkdir()
            script = Path(__file__).parent / "make_tiny_models.py"
            subprocess.run([sys.executable, script, making], check=True, capture_output=True)
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def legacy_python(request) -> Path:
    """Interpreter of an environment with tflite-runtime and numpy 1, kept in pytest's cache."""
    versions = ("3.11", "3.10")  # of the wheels there are, those that the agent's code runs on
    own = ".".join(map(str, sys.version_info[:2]))
    found = [which(f"python{version}") for version in versions]
    base = sys.executable if own in versions else next(filter(None, found), None)
    if base is None:
        pytest.skip("tflite-runtime needs Python 3.11 or older: put a python3.11 on PATH")
    place = request.config.cache.mkdir("tflite-runtime-2.14.0")
    python = place / "environment" / "bin" / "python"
    ready = place / "ready"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            subprocess.run([base, "-m", "venv", "--clear", place / "environment"], check=True)
            packages = ("tflite-runtime==2.14.0", "numpy<2")
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:]
                pytest.skip(
                    f"pip install {' '.join(packages)} failed, is there a network? {reason}"
                )
            ready.touch()
    return python
