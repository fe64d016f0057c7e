"""The page's runtimes are npm packages of fixed versions, of which a few files are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from edgekit.transports.web import gather
from edgekit.transports.web.files import PACKAGES

PLACE = Path(gather.__file__).parent


@pytest.fixture
def modules(tmp_path):
    """A `node_modules` as npm makes it, with a line in every file."""
    for name in gather._KEPT:
        path = tmp_path / "node_modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one();\n//# sourceMappingURL=one.js.map")
    index = tmp_path / "node_modules/@litertjs/core/dist/index.js"
    index.write_text('import { createWasmLib } from "@litertjs/wasm-utils";\n')
    for package in PACKAGES.values():
        about = {"version": "7.8.9", "license": "MIT"}
        (tmp_path / "node_modules" / package / "package.json").write_text(json.dumps(about))
    return tmp_path / "node_modules"


def test_what_is_kept_loads_from_beside_and_says_its_versions(modules, tmp_path):
    place = tmp_path / "runtimes"
    gather._keep(modules, place)
    assert 'from "./wasm-utils.js"' in (place / "litert-js/index.js").read_text()
    assert "sourceMappingURL" not in (place / "onnxruntime-web/ort.wasm.min.mjs").read_text()
    assert json.loads((place / "versions.json").read_text()) == dict.fromkeys(
        PACKAGES.values(), "7.8.9"
    )
    assert not place.with_name("runtimes.part").exists()


def test_a_package_that_has_changed_replaces_nothing(modules, tmp_path):
    place = tmp_path / "runtimes"
    gather._keep(modules, place)
    (modules / "@litertjs/core/dist/index.js").write_text('import x from "elsewhere";')
    with pytest.raises(EdgekitError, match="imports its helpers by another name"):
        gather._keep(modules, place)
    assert 'from "./wasm-utils.js"' in (place / "litert-js/index.js").read_text()


def test_without_npm_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EdgekitError, match="npm is not here") as caught:
        gather.gather()
    assert "npm" in caught.value.hint


def test_versions_are_pinned_with_digests_and_no_address():
    wanted = json.loads((PLACE / "package.json").read_text())["dependencies"]
    assert set(wanted) == set(PACKAGES.values())
    text = (PLACE / "package-lock.json").read_text()
    assert "://" not in text
    locked = json.loads(text)["packages"]
    for package, version in wanted.items():
        assert locked[f"node_modules/{package}"]["version"] == version
    assert all(entry["integrity"].startswith("sha512-") for name, entry in locked.items() if name)
