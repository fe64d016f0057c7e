"""What becomes of a run when the connection is lost, this side is killed, or the board is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgekit.cli import main
from edgekit.errors import DeviceError, DeviceLostError
from edgekit.job import Job, Timing
from edgekit.store import Store
from edgekit.transports.ssh import SshTransport

TIMING = Timing(warmup_calls=3, seconds=0.01, min_calls=2)


def made(session):
    """Calls that a session's measurement knows of: the first, the warm-up, the timed ones."""
    measurement = session.measurement()
    assert sum(measurement.blocks) == len(measurement.samples_ns)
    return 1 + len(measurement.warmup_ns) + len(measurement.samples_ns)


def test_every_call_is_made_and_told_once_however_often_the_connection_is_cut(
    board, proxy, through, job
):
    with through.session(job(timing=TIMING)) as session:
        for block in range(12):
            if block % 3 == 0:
                # In the middle of a block, and between two.
                threading.Timer(0.01 * (block % 3), proxy.cut).start()
            session.block(0.02, 2)
        assert made(session) == board.calls()
    assert proxy.connections >= 4
    assert board.served() == 1
    assert board.runs() == []


def test_a_connection_that_breaks_again_and_again_still_carries_a_session(
    board, proxy, through, job
):
    proxy.cut_after = 6_000  # a login takes about half of it
    with through.session(job(timing=TIMING)) as session:
        for _ in range(30):
            session.block(0.001, 2)
        assert made(session) == board.calls()
    assert proxy.connections > 2
    assert board.served() == 1


def test_a_long_job_goes_on_while_the_connection_is_cut_and_is_not_begun_anew(
    board, proxy, through, job, tmp_path
):
    samples = tmp_path / "x.npy"
    np.save(samples, np.random.default_rng(0).random((2000, 8, 8, 3), np.float32))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(through.run, job("run", inputs=str(samples)))
        board.wait_for(lambda: board.calls() > 50)
        proxy.refusing = True
        proxy.cut()
        reached = board.calls()
        board.wait_for(lambda: board.calls() > reached + 50)  # nobody is there, and it goes on
        proxy.refusing = False
        assert running.result().samples == 2000
    assert board.calls() == 2000
    assert np.array_equal(np.load(tmp_path / "y.npy"), 2 * np.load(samples))
    assert board.runs() == []


def two_blocks(transport, job, between):
    with transport.session(job) as session:
        session.block(0.01, 2)
        between()
        session.block(0.01, 2)


def test_a_board_that_does_not_come_back_is_one_error_and_its_process_ends_by_itself(
    board, proxy, job, wait_for
):
    transport = SshTransport(board.options(port=proxy.port, patience_s=0.5, keep_s=1.0))

    def lose():
        proxy.refusing = True
        proxy.cut()

    with pytest.raises(DeviceLostError, match=r"did not come back within 0\.5 s") as caught:
        two_blocks(transport, job(timing=TIMING), lose)
    assert "run the same command again" in caught.value.hint
    transport.close()
    wait_for(lambda: not board.runs() and not board.processes())


def test_a_process_that_was_killed_on_the_board_is_one_error(board, transport, job, wait_for):
    def kill():
        relays = [line for line in board.processes() if "--relay" in line]
        for line in relays:  # the runner is a fork of a relay, and is called like it
            os.kill(int(line.split()[0]), signal.SIGKILL)

    with pytest.raises(DeviceError, match="the process there that did the work is gone") as caught:
        two_blocks(transport, job(timing=TIMING), kill)
    assert "out of memory" in caught.value.hint
    wait_for(lambda: not board.processes())  # the child died with its runner
    assert transport.run(Job("probe")).environment


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


def profile(*arguments):
    return ["profile", "build/tiny", "--runtime", "counting", "--seconds", "0.02", *arguments]


def test_a_profile_goes_on_over_connections_that_are_cut(
    board, proxy, make_artifact, tmp_path, capsys
):
    make_artifact()
    place = board.profile(tmp_path / "pi.toml", port=proxy.port)
    proxy.cut_after = 12_000
    arguments = profile("--device", str(place), "--rounds", "4", "--passes", "none", "--json")
    assert main(arguments) == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert len(row["calls_of_processes"]) == 4
    assert sum(row["calls_of_processes"]) == len(row["samples_ns"])
    assert proxy.connections > 2
    # No process was started twice, and every timed call that is told was made.
    assert board.served() == 4
    assert board.calls() >= len(row["samples_ns"]) + 4 * 21
    with Store.open() as store:
        run = store.load(1)
    assert [turn.round for turn in run.turns] == list(range(4))
    assert run.environment["host"] == board.address
    assert run.environment["nodename"] == os.uname().nodename


def test_after_a_kill_the_next_call_goes_on_and_ends_what_was_left_on_the_board(
    board, make_artifact, tmp_path, capsys
):
    make_artifact()
    place = board.profile(tmp_path / "pi.toml")
    arguments = profile("--device", str(place), "--rounds", "8", "--passes", "none")
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit", *arguments, "--quiet"], stdout=subprocess.DEVNULL
    )

    def two_rounds():
        with Store.open() as store:
            begun = store.find(finished=False)
            return bool(begun) and store.load(begun[0].number).rounds >= 2

    board.wait_for(two_rounds, 60)
    board.wait_for(board.runs)
    process.kill()
    process.wait()
    with Store.open() as store:
        kept = store.load(1)
    left = board.runs()
    assert main([*arguments, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"][0]["calls_of_processes"]) == 8
    with Store.open() as store:
        run = store.load(1)
    assert run.turns[: len(kept.turns)] == kept.turns
    assert [turn.round for turn in run.turns] == list(range(8))
    assert left == [] or not set(left) & set(board.runs())
    board.wait_for(lambda: not board.processes())


def test_an_interrupt_ends_what_runs_on_the_board(inside, board, make_artifact, tmp_path, wait_for):
    make_artifact()
    place = board.profile(tmp_path / "pi.toml")
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit", *profile("--device", str(place), "--rounds", "50")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: board.calls() > 30, 60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    wait_for(lambda: not board.runs() and not board.processes(), 5)


def test_a_cable_that_is_pulled_and_plugged_in_again_costs_no_sample(far_board, job, wait_for):
    board, cable = far_board
    transport = SshTransport(board.options(connect_s=0.5))
    with transport.session(job(timing=TIMING)) as session, ThreadPoolExecutor(1) as pool:
        session.block(0.01, 2)
        cable("down")
        block = pool.submit(session.block, 0.05, 2)
        wait_for(lambda: not transport._link._wires)  # silence has been noticed
        cable("up")
        assert block.result() >= 2
        session.block(0.01, 2)
        assert made(session) == board.calls()
        assert session.measurement is not None
    assert board.served() == 1
    assert board.runs() == []
    transport.close()
