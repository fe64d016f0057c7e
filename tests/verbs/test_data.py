from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from edgekit.cli.data import command
from edgekit.errors import DataError, UsageError
from edgekit.verbs import data


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    """No archive anywhere, whatever the machine has."""
    monkeypatch.delenv("EDGEKIT_DATA", raising=False)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path):
    for split in ("train", "validation", "test"):
        for place, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            shade = 20 * place + len(split)
            Image.linear_gradient("L").rotate(shade * 5).save(folder / f"{shade}.png")
    return tmp_path / "pets"


def run(*words):
    return CliRunner().invoke(command, [str(word) for word in words])


def test_the_list_says_what_each_is_and_whether_it_is_here():
    found = {entry.name: entry for entry in data.list_datasets().datasets}
    assert found["glyphs"].is_here
    assert not found["bccd"].is_here
    assert found["bccd"].task == "object-detection"
    assert found["bccd"].samples == {"train": 205, "validation": 87, "test": 72}
    assert found["sign-digits"].licence == "Apache-2.0"
    assert "DeepPCB" in found["deeppcb"].source
    printed = run("list").stdout
    assert "no: edgekit data fetch deeppcb" in printed
    assert "needs no files" in printed


def test_listing_opens_and_unpacks_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path))
    (tmp_path / "bccd.tar.xz").write_bytes(b"not read")
    found = {entry.name: entry for entry in data.list_datasets().datasets}
    assert found["bccd"].place.kind == "archive"
    assert not (tmp_path / "cache").exists()
    assert "in EDGEKIT_DATA, packed" in run("list").stdout


def test_info_gives_classes_and_counts_per_split(pets):
    found = json.loads(run("info", pets, "--json").stdout)
    assert found["classes"] == ["cat", "dog"]
    assert found["samples"] == {"train": 2, "validation": 2, "test": 2}
    assert found["class_counts"]["test"] == [1, 1]
    assert found["facts"]["pictures"].startswith("256×256 (6); ")
    printed = run("info", pets).stdout
    assert "splits       folders" in printed
    assert "fingerprint" in printed


def test_info_on_what_is_not_here_says_which_command_fetches_it():
    with pytest.raises(DataError, match="bccd is not on this machine") as caught:
        data.describe_dataset("bccd")
    assert "edgekit data fetch bccd" in caught.value.hint


def test_check_ends_with_0_when_nothing_is_wrong(pets):
    done = run("check", pets, "--quiet")
    assert done.exit_code == 0
    assert "errors    0" in done.stdout


def test_check_ends_with_0_for_warnings_and_with_1_for_errors(pets):
    picture = pets / "train" / "cat" / "5.png"
    picture.rename(pets / "train" / "cat" / "a.png")
    again = pets / "train" / "cat" / "b.png"
    again.write_bytes((pets / "train" / "cat" / "a.png").read_bytes())
    done = run("check", pets, "--quiet")
    assert done.exit_code == 0
    assert "warning: duplicate, 1" in done.stdout
    (pets / "test" / "cat" / "c.png").write_bytes(again.read_bytes())
    done = run("check", pets, "--quiet", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["errors"] == 1
    assert found["issues"][0] == {
        "kind": "leak",
        "where": "train/cat/a.png; b.png; test/cat/c.png",
        "problem": "the same content in train and test",
        "is_error": True,
    }


def test_what_needs_no_files_is_fetched_at_once():
    done = run("fetch", "glyphs", "--quiet")
    assert done.exit_code == 0
    assert done.stdout == "glyphs needs no files\n"


def test_only_known_data_sets_can_be_fetched(pets):
    with pytest.raises(UsageError, match="only known data sets are fetched"):
        data.fetch_dataset(str(pets))
    with pytest.raises(UsageError, match="unknown data set 'bcd'") as caught:
        data.fetch_dataset("bcd")
    assert "did you mean bccd" in caught.value.hint


def test_a_data_set_of_a_plug_in_that_breaks_hides_no_other(monkeypatch):
    class Broken:
        def __init__(self):
            raise RuntimeError("out of order")

    load = data.registry.load
    monkeypatch.setattr(
        data.registry, "load", lambda group, name: Broken if name == "glyphs" else load(group, name)
    )
    found = data.list_datasets()
    assert "bccd" in {entry.name for entry in found.datasets}
    assert [error.message for error in found.broken] == ["glyphs: RuntimeError: out of order"]
