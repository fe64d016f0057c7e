from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from edgekit.agent.turn import FILE, Turn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock")


def let_go(turn):
    os.close(turn._held)
    turn._held = None


def test_one_owner_has_it_with_all_processes_and_others_are_told_who(tmp_path):
    first, second, other = Turn(tmp_path, "a"), Turn(tmp_path, "a"), Turn(tmp_path, "b")
    assert first.take("kitchen", 0) is None
    assert second.take("kitchen", 0) is None
    assert other.take("attic", 0)["by"] == "kitchen"
    let_go(first)
    assert other.take("attic", 0)["by"] == "kitchen"
    let_go(second)
    assert other.take("attic", 0) is None
    assert first.take("kitchen", 0)["by"] == "attic"


def test_whoever_has_it_is_not_asked_again(tmp_path):
    turn = Turn(tmp_path, "a")
    assert [turn.take("kitchen", 0), turn.take("kitchen", 0)] == [None, None]


def test_it_is_taken_as_soon_as_it_is_free(tmp_path):
    first, other = Turn(tmp_path, "a"), Turn(tmp_path, "b")
    first.take("kitchen", 0)
    threading.Timer(0.05, let_go, [first]).start()
    assert other.take("attic", 30.0) is None


def test_a_process_that_was_killed_has_it_no_more(tmp_path):
    script = (
        "import sys; from pathlib import Path; from edgekit.agent.turn import Turn;"
        "Turn(Path(sys.argv[1]), 'a').take('kitchen', 0); print('had', flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"had\n"
        turn = Turn(tmp_path, "b")
        assert turn.take("attic", 0)["by"] == "kitchen"
        process.kill()
        process.wait()
        assert turn.take("attic", 5.0) is None


def test_of_many_at_once_one_has_it(tmp_path):
    turns = [Turn(tmp_path, str(number)) for number in range(8)]
    found = []
    threads = [threading.Thread(target=lambda t=t: found.append(t.take("x", 0))) for t in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(None) == 1


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b'{"owner": 7, "since": "x"}', b"\xff" * 9])
def test_what_stands_in_the_file_is_not_trusted(tmp_path, text):
    holder, other = Turn(tmp_path, "a"), Turn(tmp_path, "b")
    holder.take("kitchen", 0)
    (tmp_path / FILE).write_bytes(text)
    assert other.take("attic", 0) == {"by": "somebody", "for_s": 0.0}
    let_go(holder)
    assert other.take("attic", 0) is None
    assert json.loads((tmp_path / FILE).read_text())["by"] == "attic"
