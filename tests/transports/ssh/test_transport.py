from __future__ import annotations

import os
import stat
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from edgekit.errors import DeviceError, EdgekitError, RuntimeFault
from edgekit.job import Job, Timing
from edgekit.transports.connect import connect
from edgekit.transports.local import LocalTransport
from edgekit.transports.ssh import SshTransport


@pytest.fixture
def run_job(tiny_models, tmp_path):
    """Make a job that runs a tiny model; the outputs' name can be chosen."""
    samples = tmp_path / "x.npy"
    np.save(samples, np.random.default_rng(3).random((5, 8, 8, 3), np.float32))

    def make(name="y", *, runtime="litert", model="float.tflite"):
        return Job(
            action="run",
            runtime=runtime,
            model=str(tiny_models / model),
            inputs=str(samples),
            outputs=str(tmp_path / f"{name}.npy"),
        )

    return make


@pytest.mark.parametrize(
    ("runtime", "model"), [("litert", "float.tflite"), ("openvino", "float.xml")]
)
def test_outputs_from_a_board_are_those_of_this_machine(
    transport, run_job, tmp_path, runtime, model
):
    there = transport.run(run_job("there", runtime=runtime, model=model))
    here = LocalTransport().run(run_job("here", runtime=runtime, model=model))
    assert there.samples == here.samples == 5
    assert there.outputs == here.outputs
    # An OpenVINO model is two files, of which the job names one.
    assert (tmp_path / "there.npy").read_bytes() == (tmp_path / "here.npy").read_bytes()


def inodes(board):
    """What lies on the board, and which file it is: one that is written again is another."""
    return {
        path.relative_to(board.folder): (path.stat().st_ino, path.stat().st_mtime_ns)
        for place in ("files", "agents")
        for path in (board.folder / place).rglob("*")
        if (path.is_file() and place == "files") or path.suffix == ".pyz"
    }


def test_agent_model_and_samples_are_pushed_once(board, proxy, run_job, tiny_models):
    model_bytes = (tiny_models / "float.tflite").stat().st_size
    for attempt in range(2):
        before, there_before = proxy.bytes_to_board, inodes(board)
        with_proxy = SshTransport(board.options(port=proxy.port))
        assert with_proxy.run(run_job()).samples == 5
        with_proxy.close()
        if attempt:
            assert {key: ino for key, (ino, _) in inodes(board).items()} == {
                key: ino for key, (ino, _) in there_before.items()
            }
            assert proxy.bytes_to_board - before < 16_000 + model_bytes // 10


def test_a_damaged_file_on_the_board_is_noticed_and_pushed_again(board, run_job, tmp_path):
    for place in ("files", "agents"):
        with_it = SshTransport(board.options())
        with_it.run(run_job("before"))
        with_it.close()
        for path in (board.folder / place).rglob("*"):
            if path.is_file():
                data = bytearray(path.read_bytes())
                data[len(data) // 2] ^= 255
                path.write_bytes(data)
        again = SshTransport(board.options())
        again.run(run_job("after"))
        again.close()
        assert (tmp_path / "before.npy").read_bytes() == (tmp_path / "after.npy").read_bytes()


def test_what_was_pushed_in_part_is_never_used(board, through, proxy, job, tmp_path):
    model = tmp_path / "large.bin"
    model.write_bytes(os.urandom(1 << 20))
    assert through.run(Job("probe")).environment
    proxy.cut_at = proxy.bytes_to_board + (1 << 19)
    assert through.run(job("run", model=str(model))).samples == 20
    assert proxy.connections == 2
    found = {path.parent.name: path for path in (board.folder / "files").rglob("large.bin")}
    (part,) = [name for name in found if name.startswith(".part-")]
    assert found.pop(part).stat().st_size < model.stat().st_size
    (whole,) = found.values()
    assert whole.read_bytes() == model.read_bytes()


def test_every_answer_says_on_which_machine_it_was(board, transport, job):
    probe = transport.run(Job("probe")).environment
    assert (probe["host"], probe["nodename"]) == (board.address, os.uname().nodename)
    timing = Timing(warmup_calls=1, seconds=0.01, min_calls=2)
    measured = transport.run(job(timing=timing))
    assert measured.environment["nodename"] == os.uname().nodename
    assert measured.measurement.environment["nodename"] == os.uname().nodename
    with transport.session(job(timing=timing)) as session:
        session.block(0.001, 2)
        assert session.measurement().environment["host"] == board.address


@pytest.mark.skipif(sys.platform != "linux", reason="pins processes")
def test_core_and_memory_are_the_boards(transport, tiny_models):
    core = max(os.sched_getaffinity(0))
    job = Job(
        action="measure",
        runtime="litert",
        model=str(tiny_models / "float.tflite"),
        cpu=core,
        timing=Timing(warmup_calls=1, seconds=0.01, min_calls=2),
    )
    result = transport.run(job)
    assert result.environment["affinity"] == [core]
    assert 10 << 20 < result.measurement.peak_rss_bytes < 400 << 20
    document = transport.run(
        Job(action="memory", runtime="litert", model=job.model, timing=job.timing)
    ).documents["memory"]
    assert document["model_bytes"] == (tiny_models / "float.tflite").stat().st_size


def test_a_wrong_governor_is_refused_with_one_line(board, tmp_path):
    place = board.profile(tmp_path / "pi.toml", "[require]", 'cpu_governor = "performance"')
    environment = LocalTransport().run(Job("probe")).environment
    if environment["cpu_governor"] == "performance":
        pytest.skip("this machine's governor is performance, as required")
    with pytest.raises(DeviceError, match=r"pi is not what its profile says: cpu_governor is"):
        connect(str(place))


def test_a_crash_on_the_board_is_one_error_with_the_signal_and_the_last_words(transport, job):
    with pytest.raises(RuntimeFault, match=r"crashing: measure a model\.bin: .*SIGSEGV") as caught:
        transport.run(job(runtime="crashing"))
    assert "[E] kernel 7: bad address" in caught.value.details
    with pytest.raises(RuntimeFault, match="SIGSEGV"), transport.session(job(runtime="crashing")):
        pass
    assert transport.run(job("run")).samples == 20  # and the next job is served


def test_a_job_that_hangs_is_ended_on_the_board_too(board, transport, job, wait_for):
    with pytest.raises(RuntimeFault, match=r"hanging: .* longer than its limit of 0.5 s"):
        transport.run(job(runtime="hanging"), timeout_s=0.5)
    transport.close()
    wait_for(lambda: not board.processes())
    assert board.runs() == []


def test_a_runtime_that_is_not_on_the_board_is_named_with_what_to_run_there(transport, run_job):
    with pytest.raises(DeviceError, match=r"needs tflite-runtime, which is not.* there") as caught:
        transport.run(run_job(runtime="tflite-runtime"))
    assert caught.value.hint.startswith("on the board: ")
    assert caught.value.hint.endswith(" -m pip install tflite-runtime")


def test_an_agents_error_arrives_as_itself(transport, run_job, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    with pytest.raises(EdgekitError, match=r"input .* takes") as caught:
        transport.run(run_job())
    assert type(caught.value).__name__ == "DataError"


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        ("echo '{\"python\": [3, 8, 10]}'", "Python 3.8.10 there; 3.10 is needed", "another one"),
        (f'exec {sys.executable} -S "$@"', "numpy is not installed there", "-m pip install numpy"),
        ("echo oh no >&2; exit 3", "ended with status 3", None),
        (None, "there is no .*no python.* there", "names the interpreter there"),
    ],
)
def test_a_board_without_what_is_needed_says_what(board, tmp_path, script, message, hint):
    python = tmp_path / "no python"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    transport = SshTransport(board.options(python=str(python)))
    with pytest.raises(DeviceError, match=message) as caught:
        transport.run(Job("probe"))
    transport.close()
    assert (caught.value.hint or "").endswith(hint or "")


@pytest.mark.slow
@pytest.mark.network
def test_a_board_needs_numpy_and_one_runtime_and_nothing_else(board, run_job, tmp_path):
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    transport = SshTransport(board.options(python=str(python)))
    with pytest.raises(DeviceError, match="numpy is not installed there"):
        transport.run(Job("probe"))
    packages = ("ai-edge-litert", "numpy")
    for package in packages[::-1]:
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{package} cannot be installed: {done.stderr.strip()[-200:]}")
        if package == "numpy":
            with pytest.raises(DeviceError, match=r"needs ai-edge-litert, .* there") as caught:
                transport.run(run_job())
            assert caught.value.hint == f"on the board: {python} -m pip install ai-edge-litert"
    assert transport.run(run_job("there")).samples == 5
    LocalTransport().run(run_job("here"))
    assert (tmp_path / "there.npy").read_bytes() == (tmp_path / "here.npy").read_bytes()
    transport.close()


def test_what_a_login_shell_prints_before_is_no_answer(board, tmp_path, run_job):
    python = tmp_path / "chatty python"
    python.write_text(f'#!/bin/sh\necho "Welcome to"\necho 5\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    transport = SshTransport(board.options(python=str(python)))
    assert transport.run(run_job()).samples == 5
    transport.close()


def test_two_that_push_the_same_at_once_both_find_it(board, run_job, tmp_path):
    folder = tmp_path / "another folder"
    pair = [SshTransport(board.options(folder=str(folder))) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        jobs = [run_job(name) for name in ("one", "two")]
        results = list(pool.map(lambda each, job: each.run(job), pair, jobs))
    for transport in pair:
        transport.close()
    assert [result.samples for result in results] == [5, 5]
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()
    assert len(list((folder / "files").iterdir())) == 2  # the model and the samples
    assert len(list((folder / "agents").iterdir())) == 1


def test_more_sessions_than_a_connection_has_channels_go_on_side_by_side(board, transport, job):
    timing = Timing(warmup_calls=1, seconds=0.01, min_calls=2)
    with ExitStack() as stack:
        sessions = [stack.enter_context(transport.session(job(timing=timing))) for _ in range(9)]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda session: session.block(0.001, 2), sessions))
            assert transport.run(Job("probe")).environment
        assert min(made) >= 2
        assert len(board.runs()) == 9
    assert board.runs() == []


def test_a_server_that_allows_few_channels_is_served_over_more_connections(board, job, tmp_path):
    board.stop()
    board.start("MaxSessions 2")
    transport = SshTransport(board.options())
    try:
        with ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(transport.session(job())).block(0.001, 2)
    finally:
        transport.close()
        board.stop()
        board.start()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_what_lies_on_the_board_is_for_its_user_alone(board, transport, job):
    with transport.session(job()):
        (run,) = board.runs()
        private = [board.folder, board.folder / "runs" / run]
        modes = [stat.S_IMODE(place.stat().st_mode) for place in private]
        socket_place = board.folder / "runs" / run / "socket"
        assert stat.S_ISSOCK(socket_place.stat().st_mode)
    assert modes == [0o700, 0o700]


def test_nothing_is_left_running_when_a_transport_is_closed(board, job, wait_for):
    transport = SshTransport(board.options())
    transport.run(job("run"))
    with transport.session(job()) as session:
        session.block(0.001, 2)
    transport.close()
    wait_for(lambda: not board.processes())
    with pytest.raises(DeviceError, match=r"no machine of this name|refuses|no answer|unreachable"):
        SshTransport(board.options(port=1)).run(Job("probe"))


def test_a_model_stays_loaded_on_a_board_and_answers_as_on_this_machine(transport, run_job):
    job = replace(run_job(), action="measure", inputs=None, outputs=None)
    samples = np.random.default_rng(4).random((3, 8, 8, 3), np.float32)
    with transport.answering(job) as there, LocalTransport().answering(job) as here:
        assert there.inputs == here.inputs
        for count in (3, 1):
            for one, other in zip(there([samples[:count]]), here([samples[:count]]), strict=True):
                assert len(one) == count
                assert np.array_equal(one, other)
    with LocalTransport().answering(job) as here, pytest.raises(RuntimeFault, match="failed"):
        here([np.zeros((2, 5, 8, 3), np.float32)])
