from __future__ import annotations

import shutil

import pytest

from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.updating.making import make_delta


@pytest.fixture(scope="session")
def versions(artifacts, keys, tmp_path_factory):
    """Signed bundles 1.2.0 and 1.3.0, and deltas "up.zip" and "down.zip" between them."""
    folder = tmp_path_factory.mktemp("versions")
    for version, held in (("1.2.0", artifacts[:1]), ("1.3.0", artifacts)):
        order = Order("known", version, "cpp", licence="Apache-2.0", card=f"# {version}\n")
        make_bundle(held[::-1], order, folder / version, key=keys / "mine.pem")
    make_delta(folder / "1.2.0", folder / "1.3.0", folder / "up.zip")
    make_delta(folder / "1.3.0", folder / "1.2.0", folder / "down.zip")
    return folder


@pytest.fixture
def here(versions, tmp_path):
    """The bundle 1.2.0 as a device has it."""
    return shutil.copytree(versions / "1.2.0", tmp_path / "here")
