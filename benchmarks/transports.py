"""What a connection adds to a figure: a runtime whose calls spin for a known time, over each way.

The same runtime here, over SSH, over SSH with a delay on the line, and in Chromium. All sides are
open at once and compute in turns, block by block, as in `edgekit profile`; ratios are taken within
each round. `around` says what a way costs besides: nothing of it is in a figure.
"""

from __future__ import annotations

import os
import queue
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import EdgekitError
from edgekit.job import Job, Timing
from edgekit.measuring.rounds import take_turns
from edgekit.statistics import median, median_interval
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport
from edgekit.transports.session import Session

SPINS_NS = {"spinning_1_ms": 1_000_000, "doing_nothing": 0}
ROUNDS = 10
LIMIT = 0.01  # of a call of 1 ms
DELAY_S = 0.04  # each way
_QUICK_ROUNDS = 6
_SECONDS = 0.3
_STEPS = 20
_PUSHED_BYTES = 4_000_000
_HERE = Path(__file__).resolve().parent / "spinning"


def run(quick: bool = False) -> dict[str, Any]:
    """Medians of each way, ratios to this machine's, and what the ways cost around them."""
    rounds = _QUICK_ROUNDS if quick else ROUNDS
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-bench-")))
        _install(scratch / "packages")
        sides: dict[str, Transport] = {
            "local": LocalTransport(environment=_importable(scratch / "packages"))
        }
        left_out: dict[str, str] = {}
        for enter in (_over_ssh, _in_chromium):
            try:
                sides |= stack.enter_context(enter(scratch))
            except _Absent as error:
                left_out[enter.__name__.strip("_")] = str(error)
        for transport in sides.values():
            stack.callback(transport.close)
        models = {}
        for name, spin_ns in SPINS_NS.items():
            models[name] = scratch / f"{name}.bin"
            models[name].write_bytes(f"{spin_ns}\0".encode())
        return {
            "benchmark": "transports",
            "rounds": rounds,
            "delay_s_each_way": DELAY_S,
            "limit": LIMIT,
            "left_out": left_out,
            "timed": {
                name: _timed(sides, model, rounds, SPINS_NS[name]) for name, model in models.items()
            },
            "around": {
                name: _around(name, transport, scratch) for name, transport in sides.items()
            },
        }


def _timed(
    sides: Mapping[str, Transport], model: Path, rounds: int, spin_ns: int
) -> dict[str, Any]:
    """Medians in µs of every side, and its ratio to the first in each round."""
    chance = random.Random(0)
    medians: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        with ExitStack() as stack:
            names = chance.sample(sorted(sides), len(sides))
            opened: dict[int, Session] = {
                number: stack.enter_context(sides[name].session(_job(name, model)))
                for number, name in enumerate(names)
            }
            take_turns(opened, _SECONDS, chance, spins=False)
            for number, name in enumerate(names):
                medians[name].append(median(opened[number].measurement().samples_ns))
    figures: dict[str, Any] = {}
    for name, found in medians.items():
        figures[name] = {
            "median_us": round(median(found) / 1000, 4),
            "median_us_ci95": [round(bound / 1000, 4) for bound in median_interval(found)],
        }
        # A call that does nothing takes as long as reading a clock: no ratio says anything there.
        if name != "local" and spin_ns:
            ratios = [a / b for a, b in zip(found, medians["local"], strict=True)]
            figures[name] |= {
                "ratio": round(median(ratios), 5),
                "ratio_ci95": [round(bound, 5) for bound in median_interval(ratios)],
            }
    return figures


def _around(name: str, transport: Transport, scratch: Path) -> dict[str, float]:
    """Seconds that are in no figure: to be there, to bring a file, to do a job, to make a step."""
    model = scratch / f"{name}-pushed.bin"
    model.write_bytes(b"0\0" + os.urandom(_PUSHED_BYTES))
    samples = scratch / "samples.npy"
    np.save(samples, np.zeros((4, 4), np.float32))
    job = _job(name, model, "run", inputs=str(samples), outputs=str(scratch / f"{name}.npy"))
    transport.close()  # to connect anew; a way that was closed may be used again by its profile
    first, again = _seconds(lambda: transport.run(job)), _seconds(lambda: transport.run(job))
    with transport.session(_job(name, model)) as session:
        steps = [_seconds(lambda: session.work(0.0)) for _ in range(_STEPS)]
    return {
        "first_job_s": round(first, 4),
        "job_s": round(again, 4),
        "step_s": round(median(steps), 5),
    }


def _job(name: str, model: Path, action: str = "measure", **more: Any) -> Job:
    # A page knows its own runtimes only: the spinning one stands in the place of one of them.
    runtime = "litert-js" if name.startswith("chromium") else "spinning"
    timing = Timing(warmup_calls=5, seconds=0.0, min_calls=1)
    return Job(action, runtime, str(model), timing=timing, **more)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class _Absent(EdgekitError):
    """What a side needs is not installed."""


def _install(packages: Path) -> None:
    """Put the runtime where a Python finds it, with its entry point, as pip would."""
    info = packages / "spinning-1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(_HERE / "spinning.py", packages)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spinning\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[edgekit.runtimes]\nspinning = spinning:Spinning\n")


def _importable(packages: Path) -> dict[str, str]:
    top = Path(__file__).resolve().parents[1]
    return {"PYTHONPATH": os.pathsep.join((str(top), str(packages)))}


@contextmanager
def _over_ssh(scratch: Path) -> Iterator[dict[str, Transport]]:
    """A real OpenSSH server on this machine, with a line to it and one with a delay."""
    from edgekit.transports.ssh import SshTransport

    if not (shutil.which("sshd") or shutil.which("/usr/sbin/sshd")):
        raise _Absent("no sshd here: apt-get install openssh-server")
    # The server that the tests start.
    board = import_module("tests.transports.ssh.conftest").Board(scratch / "board")
    _install(board.packages)
    line = _DelayingLine((board.address, board.port), DELAY_S)
    board.trust(line.port)
    try:
        yield {
            "ssh": SshTransport(board.options()),
            "ssh_delayed": SshTransport(board.options(port=line.port)),
        }
    finally:
        line.close()
        board.stop()


@contextmanager
def _in_chromium(scratch: Path) -> Iterator[dict[str, Transport]]:
    """Chromium, with a page in which the spinning runtime stands in the place of LiteRT.js."""
    from edgekit.transports.browser import BrowserTransport
    from edgekit.transports.web import files
    from edgekit.transports.web.chromium import NAMES

    if not any(map(shutil.which, NAMES)):
        raise _Absent("no Chromium here: apt-get install chromium")
    usual, page = files.PAGE, scratch / "page"
    shutil.copytree(usual, page)
    shutil.copy(_HERE / "spinning.js", page / "litert.js")
    files.PAGE = page
    try:
        yield {"chromium": BrowserTransport()}
    finally:
        files.PAGE = usual


class _DelayingLine:
    """A TCP proxy that holds back everything for a while, both ways.

    Args:
        target: Address and port.
        delay_s: How long.
    """

    def __init__(self, target: tuple[str, int], delay_s: float) -> None:
        self._target, self._delay_s = target, delay_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for source, sink in ((client, server), (server, client)):
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    late: queue.Queue[tuple[float, bytes]] = queue.Queue()
                    self._start(self._take, source, late)
                    self._start(self._give, late, sink)

    def _take(self, source: socket.socket, late: queue.Queue[tuple[float, bytes]]) -> None:
        data = b"."
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            late.put((time.monotonic() + self._delay_s, data))

    def _give(self, late: queue.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
        with suppress(OSError):
            while True:
                due, data = late.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    @staticmethod
    def _start(work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()
