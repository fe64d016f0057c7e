"""What every test gets: a cache of its run's own, and a folder to stand in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
