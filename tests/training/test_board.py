from __future__ import annotations

import pytest

from edgekit.errors import FileError
from edgekit.training.board import Board


def write(board, value):
    board.write({"loss": value, "best": "no number"}, 1)
    board.close()


def test_only_what_earlier_trainings_in_the_same_run_folder_wrote_is_cleared(tmp_path):
    logs = tmp_path / "logs"
    write(Board(logs, owner=tmp_path / "one"), 1.0)
    (foreign,) = logs.iterdir()
    write(Board(logs, owner=tmp_path / "two"), 2.0)
    (own,) = set(logs.iterdir()) - {foreign}
    Board(logs, owner=tmp_path / "two").clear()
    assert list(logs.iterdir()) == [foreign]
    assert foreign.stat().st_size > 0
    assert own.name.startswith("events.out.tfevents.")  # where TensorBoard looks


def test_a_log_that_cannot_be_written_is_a_refusal_with_its_place(tmp_path, monkeypatch):
    import tensorflow as tf

    def refuse(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "no")

    monkeypatch.setattr(tf.summary, "create_file_writer", refuse)
    with pytest.raises(FileError, match="logs: cannot be written: no"):
        Board(tmp_path / "logs", owner=tmp_path).write({"loss": 1.0}, 1)
