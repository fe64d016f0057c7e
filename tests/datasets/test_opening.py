from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from edgekit.datasets import open_dataset
from edgekit.errors import DataError


def test_a_name_and_its_unique_prefix_open_the_same_data_set():
    assert open_dataset("lang").name == open_dataset("language-names").name == "language-names"


def test_something_of_that_name_wins_over_the_beginning_of_a_known_name(tmp_path, monkeypatch):
    for label in ("cat", "dog"):
        for number in range(20):
            path = tmp_path / "gly" / "train" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), number).save(path)
    monkeypatch.chdir(tmp_path)
    assert open_dataset("gly").classes == ("cat", "dog")


def test_a_misspelt_name_says_what_was_probably_meant():
    with pytest.raises(DataError, match=r"^unknown data set 'glyfs'$") as caught:
        open_dataset("glyfs")
    assert caught.value.hint == "did you mean glyphs?"


def test_a_name_like_no_other_is_told_where_own_data_goes():
    with pytest.raises(DataError) as caught:
        open_dataset("nosuch")
    assert caught.value.message == "unknown data set 'nosuch'"
    assert caught.value.hint.startswith("edgekit data list; your own by its path")


@pytest.mark.parametrize("path", ["./glyphs", "no/such", "absent.npz"])
def test_an_absent_path_is_named(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        open_dataset(path)


def test_a_file_of_another_kind_is_refused_with_what_would_do(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="not a data set that edgekit reads") as caught:
        open_dataset(tmp_path / "notes.txt")
    assert "npz" in caught.value.hint


def test_opening_by_name_needs_no_numpy():
    code = (
        "import sys; from edgekit.datasets import open_dataset; open_dataset('glyphs');"
        "assert not {'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
