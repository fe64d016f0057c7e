"""An export that is ended in the middle: what was there before stays, and no process does."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from edgekit.artifact import Artifact

IN_TIME_S = 60


def marked_processes(mark):
    """Ids of living processes that inherited `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended meanwhile, or is none of ours
    return found


def all_ended(mark):
    pause, deadline = threading.Event(), time.monotonic() + IN_TIME_S
    while marked_processes(mark) and time.monotonic() < deadline:
        pause.wait(0.02)
    return marked_processes(mark) == []


@pytest.fixture
def begin(keras_models):
    """Start an export of a model that is there already, in a process group with a mark."""
    mark = f"edgekit-{uuid.uuid4()}"

    def start():
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "edgekit", "export", keras_models / "lstm.keras"),
                *("--target", "onnx", "--force", "--verbose"),
            ],
            env={**os.environ, "MARK": mark}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        return process, mark

    yield start
    for pid in marked_processes(mark):
        os.kill(pid, signal.SIGKILL)


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc finds what is left")


@linux_only
@pytest.mark.parametrize("reached", ["building and tracing", "onnx-fp32"])
def test_ctrl_c_ends_an_export_in_order(work, begin, reached):
    process, mark = begin()
    said = ""
    for line in process.stderr:
        said += line
        if reached in line:
            process.send_signal(signal.SIGINT)
            break
    said = process.communicate(timeout=IN_TIME_S)[1]
    assert process.returncode == 130
    assert said.splitlines()[-1] == "error: interrupted"
    assert said.count("error:") == 1
    assert all_ended(mark)
    assert [path.name for path in (work / "build" / "lstm").iterdir()] == ["onnx-fp32"]


@linux_only
@pytest.mark.slow
def test_sigkill_at_any_moment_leaves_a_whole_artifact_and_no_process(work, begin):
    build = work / "build" / "lstm"
    process, mark = begin()
    steps = len(process.communicate()[1].splitlines())
    assert process.returncode == 0
    moments = random.Random(20)
    killed = 0
    for number in range(20):
        process, _ = begin()
        # As far as a line of its log, which every run reaches, and some way into the step after.
        for _ in range(number * (steps - 2) // 20):
            process.stderr.readline()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moments.uniform(0.0, 0.4))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        assert all_ended(mark)
        assert Artifact.open(build / "onnx-fp32").manifest.model == "lstm"
        assert len(list(build.glob(".edgekit-*"))) <= 1  # the next export removes the last one's
    assert killed >= 10
    process, _ = begin()
    process.communicate()
    assert process.returncode == 0
    assert [path.name for path in build.iterdir()] == ["onnx-fp32"]
