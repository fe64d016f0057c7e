from __future__ import annotations

import subprocess
import sys

import pytest

from edgekit.errors import FileError
from edgekit.training.folder import run_folder

HOLD = """
import sys
from pathlib import Path
from edgekit.training.folder import run_folder

with run_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_training_in_the_same_folder_is_refused_until_the_first_has_ended(tmp_path):
    folder = tmp_path / "run"
    with run_folder(folder):
        (folder / "state.npz").write_text("mine")
        with (
            pytest.raises(FileError, match="another training is running in this folder") as caught,
            run_folder(folder),
        ):
            pass
        assert caught.value.hint.startswith("--out")
        # The other workers of a training share its folder, and write nothing there.
        with run_folder(folder, writes=False):
            pass
    with run_folder(folder):
        assert [path.name for path in folder.iterdir()] == ["state.npz"]


def test_a_folder_of_something_else_is_refused_and_one_of_a_training_killed_early_is_not(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "names.tokenizer.json").touch()
    (tmp_path / ".edgekit-1-x").mkdir()
    with run_folder(tmp_path):
        pass
    (tmp_path / "catalogs").mkdir()
    with (
        pytest.raises(FileError, match="holds catalogs, and no state of a training"),
        run_folder(tmp_path),
    ):
        pass
    assert (tmp_path / "catalogs").is_dir()


def test_a_killed_training_does_not_hold_its_folder(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(FileError, match="another training"), run_folder(folder):
            pass
        first.kill()
    with run_folder(folder):
        pass


def test_folders_made_for_a_training_go_where_nothing_came_of_it(tmp_path):
    folder = tmp_path / "deep" / "run"

    def fail(made):
        with run_folder(folder):
            for name in made:
                (folder / name).touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail([])
    assert not (tmp_path / "deep").exists()
    with pytest.raises(KeyError):
        fail(["state"])
    assert (folder / "state").exists()
