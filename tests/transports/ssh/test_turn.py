"""Two edgekits on one board: one measures, the other waits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from edgekit.errors import DeviceError
from edgekit.job import Job, Timing
from edgekit.progress import noticed_by
from edgekit.transports.ssh import SshTransport

TIMING = Timing(warmup_calls=3, seconds=0.01, min_calls=2)
OTHER = """
import json, sys
from pathlib import Path
from edgekit.job import Job
from edgekit.transports.ssh import SshTransport
from edgekit.transports.ssh.options import Options
options, job = json.loads(sys.argv[1])
options |= {"key": Path(options["key"]), "known_hosts": Path(options["known_hosts"])}
with SshTransport(Options(**options)).session(Job.from_json(job)) as session:
    session.block(0.01, 2)
    print("has it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(board, job):
    """Another edgekit that keeps a model loaded on the board until it is told to end."""
    import json

    started = []

    def start(**changes):
        options = {
            key: str(value) if key in ("key", "known_hosts") else value
            for key, value in asdict(board.options(**changes)).items()
        }
        described = json.dumps([options, job(timing=TIMING).to_json()])
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER, described],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "has it\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("action", ["run", "session"])
def test_the_second_waits_for_the_first_and_says_for_whom(board, job, other, action):
    first, said = other(), []
    transport = SshTransport(board.options())

    def work():
        if action != "session":
            return transport.run(job(action, timing=TIMING))
        with transport.session(job(timing=TIMING)) as session:
            session.block(0.01, 2)
            return session.measurement()

    with noticed_by(said.append), ThreadPoolExecutor(1) as pool:
        second = pool.submit(work)
        board.wait_for(lambda: said)
        assert not second.done()
        calls = board.calls()
        # Who waits computes nothing: the other's figures are undisturbed.
        assert transport.run(Job("probe")).environment
        assert board.calls() == calls
        first.communicate("\n", timeout=20)
        assert second.result()
    transport.close()
    (line,) = said
    assert f"the device is busy: {socket.gethostname()} has been measuring for" in line
    assert "waiting for our turn" in line
    board.wait_for(lambda: not board.runs())


def test_whoever_waits_too_long_gets_one_error(board, job, other):
    other()
    transport = SshTransport(board.options(busy_s=0.0))
    with pytest.raises(DeviceError, match=r"the device is busy: .* has been measuring") as caught:
        transport.run(job("run"))
    assert caught.value.limit == "ssh.busy_s in board.toml"
    transport.close()


def test_what_a_killed_edgekit_left_gives_up_its_turn(board, job, other):
    first = other(keep_s=300.0)
    transport = SshTransport(board.options(keep_s=300.0))
    assert transport.run(Job("probe")).environment  # it looked at the board before the kill
    first.kill()
    first.wait()
    new = SshTransport(board.options(keep_s=300.0))
    assert new.run(job("run")).samples == 20
    for each in (transport, new):
        each.close()


def test_sessions_of_one_round_work_side_by_side(board, job, transport):
    with transport.session(job(timing=TIMING)) as one, transport.session(job(timing=TIMING)) as two:
        assert (one.block(0.01, 2) >= 2, two.block(0.01, 2) >= 2) == (True, True)
    assert os.path.exists(board.folder / "turn")  # noqa: PTH110
