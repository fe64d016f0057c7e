"""Deltas are made alike from the same bundles, and hold what changed."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundles.contents import CONTENTS
from edgekit.bundles.updating.applying import read_index
from edgekit.bundles.updating.delta import INDEX, Index, is_newer
from edgekit.bundles.updating.making import make_delta
from edgekit.bundles.zipped import pack
from edgekit.cli import main
from edgekit.errors import ArtifactError, UsageError


def test_the_same_bundles_make_the_same_delta(versions, tmp_path):
    pack(versions / "1.2.0", tmp_path / "old.zip")
    pack(versions / "1.3.0", tmp_path / "new.zip")
    made = make_delta(tmp_path / "old.zip", tmp_path / "new.zip", tmp_path / "again.zip")
    content = (versions / "up.zip").read_bytes()
    assert made.file.read_bytes() == content
    with zipfile.ZipFile(made.file) as archive:
        assert str(tmp_path) not in archive.read(INDEX).decode()


def test_what_did_not_change_is_not_in_it(versions):
    index = read_index(versions / "up.zip")
    ways = {name: part.how for name, part in index.files.items()}
    assert ways["artifacts/tflite-int8/model.tflite"] == "kept"
    assert ways["golden/cases.json"] == "steps"
    assert ways["artifacts/onnx-int8/model.onnx"] == "whole"
    with zipfile.ZipFile(versions / "up.zip") as archive:
        assert sorted(archive.namelist()) == sorted(
            [INDEX, *(f"{way}/{name}" for name, way in ways.items() if way != "kept")]
        )
    assert (index.old.version, index.new.version) == ("1.2.0", "1.3.0")


def test_a_file_that_only_moved_is_kept(versions, tmp_path):
    index = read_index(versions / "down.zip")
    old = json.loads((versions / "1.3.0" / CONTENTS).read_text())["files"]
    for name, part in index.files.items():
        if part.how == "kept":
            assert old[part.source]["sha256"] == part.sha256, name


def test_what_is_no_other_version_of_it_is_refused(versions, tmp_path, capsys):
    other = shutil.copytree(versions / "1.3.0", tmp_path / "other")
    with pytest.raises(UsageError, match="are the same bundle"):
        make_delta(versions / "1.3.0", other, tmp_path / "d.zip")
    (other / "labels.txt").write_text("x\n")
    with pytest.raises(ArtifactError, match=r"labels\.txt has 2 bytes"):
        make_delta(versions / "1.2.0", other, tmp_path / "d.zip")
    with pytest.raises(UsageError, match=r"a delta is a \.zip"):
        make_delta(versions / "1.2.0", versions / "1.3.0", tmp_path / "d.delta")
    assert (
        main(["update", "make", str(versions / "1.2.0"), str(tmp_path / "no"), "-o", "d.zip"]) == 1
    )
    assert "no such bundle" in capsys.readouterr().err


@given(st.tuples(*[st.integers(0, 20)] * 3), st.tuples(*[st.integers(0, 20)] * 3))
def test_versions_are_compared_as_numbers(one, other):
    words = [".".join(map(str, version)) for version in (one, other)]
    assert is_newer(*words) == (one > other)


DAMAGES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(st.data())
def test_an_index_with_anything_in_it_is_read_or_refused(versions, data):
    with zipfile.ZipFile(versions / "up.zip") as archive:
        told = json.loads(archive.read(INDEX))
    place = data.draw(st.sampled_from(["", "from", "to", "files"]))
    table = told[place] if place else told
    key = data.draw(st.sampled_from(sorted(table)) | st.text(max_size=8))
    table[key] = data.draw(DAMAGES)
    try:
        index = Index.from_json(told)
    except ArtifactError:
        return
    assert Index.from_json(json.loads(index.text())) == index
