"""The evaluation split travels to a board in batches, and a broken call is gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from edgekit.cli import main
from edgekit.files import cache_folder


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def many(tmp_path):
    """A data set of 300 pictures."""
    random = np.random.default_rng(1)
    np.savez(
        tmp_path / "many.npz",
        x_train=random.random((8, 8, 8, 3), np.float32),
        y_train=np.arange(8) % 4,
        x_test=random.random((300, 8, 8, 3), np.float32),
        y_test=np.arange(300) % 4,
    )
    return tmp_path / "many.npz"


@pytest.fixture
def evaluate(many, make_artifact, capsys):
    """Evaluate the tiny artifact on a device: status, and the document or what was said."""
    artifact = make_artifact().path

    def command(device, *more):
        arguments = ["eval", str(artifact), "--data", str(many), "--device", str(device)]
        return [*arguments, "--samples", "300", "--json", *more]

    def run(device, *more):
        capsys.readouterr()
        status = main(command(device, *more))
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else err

    run.command = command
    return run


def kept():
    return sorted(cache_folder().glob("answers/*/*.npz"))


def judged(document):
    return document["metric"], document["sample_digest"], document["placement"]


def test_a_boards_figure_is_that_of_one_job_here_and_its_batches_leave_the_board(
    board, tmp_path, evaluate
):
    _, here = evaluate("local-cpu")
    status, there = evaluate(board.profile(tmp_path / "pi.toml"), "--runtime", "litert")
    assert status == 0
    assert judged(there) == judged(here)
    assert here["resumed"] is None
    assert there["resumed"] == {"samples": 0, "total": 300, "proven": 0, "forgotten": None}
    assert len(kept()) >= 3
    # The model stays on the board, the samples don't.
    left = [path for path in (board.folder / "files").glob("*/*") if path.suffix == ".npy"]
    assert len({path.parent for path in left}) <= 1
    assert board.runs() == []


COUNTING = ("--runtime", "counting")


def test_after_a_kill_the_next_call_goes_on_at_the_next_batch(board, tmp_path, evaluate, capsys):
    device = board.profile(tmp_path / "pi.toml")
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit", *evaluate.command(device, *COUNTING)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    board.wait_for(lambda: len(kept()) >= 2, 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = sum(int(path.name.split("-")[1]) for path in kept())
    assert 0 < there < 300
    board.forget_calls()
    before = board.calls()  # of a batch that was under way
    status, found = evaluate(device, *COUNTING)
    assert status == 0, found
    proven = found["resumed"]["proven"]
    assert 4 <= proven <= 16
    assert found["resumed"] == {
        "samples": there, "total": 300, "proven": proven, "forgotten": None,
    }  # fmt: skip
    assert board.calls() - before <= 300 - there + proven
    board.forget_calls()
    _, anew = evaluate(device, *COUNTING, "--fresh")
    assert board.calls() == 300
    assert anew["resumed"]["samples"] == 0
    assert judged(anew) == judged(found)
    arguments = [one for one in evaluate.command(device, *COUNTING) if one != "--json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "300 of 300 samples were there already; 16 of them run again, with the same o" in out
    assert "resumed: 300 of 300 samples were there already" in err
    board.wait_for(lambda: not board.runs(), 5)


def test_a_connection_that_is_cut_in_a_batch_costs_no_sample(board, proxy, tmp_path, evaluate):
    device = board.profile(tmp_path / "pi.toml", port=proxy.port)
    cutter = threading.Thread(
        target=lambda: (board.wait_for(lambda: board.calls() > 60, 60), proxy.cut())
    )
    cutter.start()
    status, found = evaluate(device, *COUNTING)
    cutter.join()
    assert (status, found["metric"]["samples"]) == (0, 300)
    assert board.calls() == 300
    assert proxy.connections >= 2


def test_when_a_board_does_not_come_back_its_batches_are_there_for_the_next_call(
    board, proxy, tmp_path, evaluate
):
    device = board.profile(tmp_path / "pi.toml", port=proxy.port, patience_s=0.3, keep_s=1.0)

    def lose():
        board.wait_for(lambda: len(kept()) >= 2 and board.calls() > 30, 60)
        proxy.refusing = True
        proxy.cut()

    cutter = threading.Thread(target=lose)
    cutter.start()
    status, said = evaluate(device, *COUNTING)
    cutter.join()
    assert (status, "what was finished is kept" in said) == (1, True), said
    proxy.refusing = False
    there = sum(int(path.name.split("-")[1]) for path in kept())
    status, found = evaluate(device, *COUNTING)
    assert (status, found["resumed"]["samples"], there > 0) == (0, there, True)
    assert found["metric"]["samples"] == 300
