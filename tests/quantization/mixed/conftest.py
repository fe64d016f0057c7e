"""A small network with one kernel that 8 bits ruin, its files, and an export that saves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def files(made_once) -> Path:
    """What `make_files.py` makes, in a process of its own."""

    def fill(folder):
        script = Path(__file__).parent / "make_files.py"
        done = subprocess.run(
            [sys.executable, script, folder], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]

    return made_once("mixable-files", fill)


@pytest.fixture(scope="session")
def command(files):
    """An export of the network without what decides whether layers are searched."""
    return (
        *(sys.executable, "-m", "edgekit", "export", files / "network.keras", "-p", "int8"),
        *("--data", files / "pictures.npz", "--input-range=-1,1", "--json", "-v"),
    )


@pytest.fixture(scope="session")
def run(command):
    """Run it with more options in a folder."""

    def edgekit(*options, cwd, status=0):
        done = subprocess.run(
            [*command, *options], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return edgekit


@pytest.fixture(scope="session")
def rescued(made_once, run) -> Path:
    """Folder with `build/network/…` and what the export printed: `out.json`, `err.txt`."""

    def fill(folder):
        done = run(cwd=folder)
        (folder / "out.json").write_text(done.stdout, encoding="utf-8")
        (folder / "err.txt").write_text(done.stderr, encoding="utf-8")

    return made_once("rescued", fill)
