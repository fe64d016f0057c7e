from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint

import pytest

from edgekit import registry, shelf
from edgekit.errors import UsageError


@pytest.fixture
def third_party(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEKIT_SHELF", str(tmp_path / "own"))
    """A shelf of another package, beside edgekit's own."""
    root = tmp_path / "shelf"
    (root / "models").mkdir(parents=True)
    (root / "devices").mkdir()
    points = [
        EntryPoint("edgekit", "edgekit.shelf:builtin", registry.SHELVES),
        EntryPoint("other", "other_package:shelf", registry.SHELVES),
    ]
    loaded = {"edgekit": shelf.builtin, "other": lambda: root}
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setattr(registry, "load", lambda group, name: loaded[name])
    return root


def add_model(root, place):
    folder = root / "models" / place
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text("")
    return folder


def test_edgekits_own_models_and_devices_are_found(checkout):
    assert shelf.model_folders()["mobilenet"] == checkout / "models/image-classification/mobilenet"
    assert shelf.device_files()["local-cpu"] == checkout / "devices" / "local-cpu.toml"
    assert shelf.shelves()[1] == []


def test_a_model_folder_is_found_flat_and_below_its_task(third_party):
    flat, nested = add_model(third_party, "one"), add_model(third_party, "vision/two")
    add_model(third_party, "too/deep/three")
    found = shelf.model_folders()
    assert (found["one"], found["two"]) == (flat, nested)
    assert "three" not in found


def test_of_two_equal_names_on_one_shelf_the_shallow_one_is_meant(third_party):
    add_model(third_party, "vision/same")
    flat = add_model(third_party, "same")
    assert shelf.model_folders()["same"] == flat


def test_a_third_partys_model_and_device_win_over_built_in_ones(third_party):
    folder = add_model(third_party, "mobilenet")
    profile = third_party / "devices" / "local-cpu.toml"
    profile.write_text("")
    assert shelf.model_folders()["mobilenet"] == folder
    assert shelf.find_device("local-cpu") == profile


def test_names_resolve_by_prefix_and_misspelt_ones_get_a_suggestion(third_party):
    assert shelf.find_device("local") == shelf.device_files()["local-cpu"]
    with pytest.raises(UsageError, match="unknown device 'locla-cpu'") as caught:
        shelf.find_device("locla-cpu")
    assert caught.value.hint == "did you mean local-cpu?"


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (lambda: 1 / 0, "shelf other: other_package:shelf failed: ZeroDivisionError"),
        (lambda: None, "shelf other: other_package:shelf failed: TypeError"),
        (lambda: "/no/such/place", "shelf other: /no/such/place is not a folder"),
    ],
)
def test_a_broken_shelf_is_reported_and_hides_nothing(
    third_party, monkeypatch, function, complaint
):
    loaded = {"edgekit": shelf.builtin, "other": function}
    monkeypatch.setattr(registry, "load", lambda group, name: loaded[name])
    folders, broken = shelf.shelves()
    assert folders == [shelf.builtin()]
    assert [str(error).startswith(complaint) for error in broken] == [True]
    assert "mobilenet" in shelf.model_folders()


def test_a_shelf_of_ones_own_comes_last_and_wins(third_party, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    assert own not in shelf.shelves()[0]  # measurements may lie there, and nothing else
    (own / "devices").mkdir()
    (own / "devices" / "local-cpu.toml").write_text('transport = "local"\n')
    assert shelf.shelves()[0][-1] == own
    assert shelf.find_device("local-cpu") == own / "devices" / "local-cpu.toml"


def test_a_wheels_shelf_lies_inside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "edgekit"
    (package / "_shelf" / "models").mkdir(parents=True)
    monkeypatch.setattr(shelf, "__file__", str(package / "shelf.py"))
    assert shelf.builtin() == package / "_shelf"


def test_folders_of_models_lie_by_task():
    for file in (shelf.builtin() / "models").rglob("model.toml"):
        assert file.parent.parent.name == tomllib.loads(file.read_text())["task"], file
