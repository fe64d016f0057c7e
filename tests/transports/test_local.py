from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit import process
from edgekit.errors import DeviceError, FileError, MissingExtraError, RuntimeFault, UsageError
from edgekit.job import Job, Timing
from edgekit.transports.local import LocalTransport

PLUG_IN = """
import os, signal, time
from edgekit.agent.runtimes.base import Runtime

class Crashing(Runtime):
    name, module = "crashing", "json"
    def _load(self, model, threads, delegate):
        os.write(2, b"[E] kernel 7: bad address\\n")
        os.kill(os.getpid(), signal.SIGSEGV)

class Hanging(Runtime):
    name, module = "hanging", "json"
    def _load(self, model, threads, delegate):
        while True:
            time.sleep(60)
"""


@pytest.fixture
def plug_ins(tmp_path, monkeypatch):
    """An installed package with two bad runtimes, for this process and its children."""
    (tmp_path / "bad_runtimes.py").write_text(PLUG_IN)
    info = tmp_path / "bad_runtimes-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-runtimes\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[edgekit.runtimes]\ncrashing = bad_runtimes:Crashing\nhanging = bad_runtimes:Hanging\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"model")
    return str(path)


def test_an_interpreter_without_numpy_is_told_with_what_adds_it(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    with pytest.raises(DeviceError, match="has no numpy") as caught:
        LocalTransport(python, named_in="board.toml").run(Job("probe"))
    assert f"{python} -m pip install numpy" in caught.value.hint
    assert "board.toml" in caught.value.hint


def run_job(tiny_models, tmp_path, **changes):
    np.save(tmp_path / "x.npy", np.ones((2, 8, 8, 3), np.float32))
    return Job(
        action="run",
        **{
            "runtime": "litert",
            "model": str(tiny_models / "float.tflite"),
            "inputs": str(tmp_path / "x.npy"),
            "outputs": str(tmp_path / "y.npy"),
            **changes,
        },
    )


def test_a_job_runs_in_another_process_and_its_outputs_are_there(tiny_models, tmp_path):
    result = LocalTransport().run(run_job(tiny_models, tmp_path))
    assert result.samples == 2
    assert np.load(tmp_path / "y.npy").shape == (2, 4)


def test_a_crash_is_one_error_with_the_signal_and_the_last_words(plug_ins, model):
    with pytest.raises(RuntimeFault, match=r"crashing: measure model\.bin: .*SIGSEGV") as caught:
        LocalTransport().run(Job(action="measure", runtime="crashing", model=model))
    assert "[E] kernel 7: bad address" in caught.value.details


def test_a_job_that_never_ends_is_ended_at_its_limit(plug_ins, model):
    with pytest.raises(RuntimeFault, match="longer than its limit of 2 s"):
        LocalTransport().run(Job(action="measure", runtime="hanging", model=model), timeout_s=2.0)


def test_the_next_job_after_a_crash_is_served(plug_ins, model, tiny_models, tmp_path):
    transport = LocalTransport()
    with pytest.raises(RuntimeFault):
        transport.run(Job(action="measure", runtime="crashing", model=model))
    assert transport.run(run_job(tiny_models, tmp_path)).samples == 2


def test_an_agents_error_arrives_as_itself(tiny_models, tmp_path):
    if "tflite_runtime" in sys.modules:
        pytest.skip("tflite-runtime is installed here")
    with pytest.raises(MissingExtraError) as caught:
        LocalTransport().run(run_job(tiny_models, tmp_path, runtime="tflite-runtime"))
    assert caught.value.hint.startswith("an environment of its own: ")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
@pytest.mark.parametrize("program", ["true", "echo", "cat"])
def test_an_interpreter_that_is_none_is_named_with_the_file_that_names_it(program):
    transport = LocalTransport(shutil.which(program), named_in="board.toml")
    with pytest.raises(DeviceError, match=f"{program} did not answer as edgekit's agent") as caught:
        transport.run(Job(action="probe"))
    assert "edgekit.agent.service" not in caught.value.message
    assert caught.value.hint.startswith("`python` in board.toml names an interpreter")


def test_a_wrong_job_never_starts_a_process(model, monkeypatch):
    def child(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("edgekit.transports.local.Child", child)
    with pytest.raises(UsageError, match="threads"):
        LocalTransport().run(Job(action="measure", runtime="litert", model=model, threads=0))
    with pytest.raises(FileError, match="no such model file"):
        LocalTransport().run(Job(action="measure", runtime="litert", model=model + ".none"))


def test_another_interpreter_gets_the_agent_without_edgekit_being_installed_there(
    tmp_path, tiny_models
):
    # A link is another name, as every virtual environment's interpreter is.
    link = tmp_path / "bin" / "python"
    link.parent.mkdir()
    link.symlink_to(sys.executable)
    home = Path(sys.executable).resolve().parent
    (tmp_path / "pyvenv.cfg").write_text(f"home = {home}\n")
    (tmp_path / "lib").mkdir()
    result = LocalTransport(link).run(Job(action="probe"))
    runtimes = result.environment["runtimes"]
    assert "error" in runtimes["litert"]


def test_an_interpreter_that_is_not_there_is_a_device_error(tmp_path):
    with pytest.raises(DeviceError, match=r"no-python: No such file or directory") as caught:
        LocalTransport(tmp_path / "no-python").run(Job(action="probe"))
    assert "`python`" in caught.value.hint


def test_files_in_the_working_directory_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    assert LocalTransport().run(Job(action="probe")).environment["numpy"]


@pytest.mark.skipif(sys.platform != "linux", reason="pins processes")
def test_a_job_is_pinned_to_the_core_it_names(tiny_models):
    core = max(os.sched_getaffinity(0))
    job = Job(
        action="measure",
        runtime="onnxruntime",
        model=str(tiny_models / "float.onnx"),
        cpu=core,
        timing=Timing(warmup_calls=1, seconds=0.01, min_calls=2),
    )
    environment = LocalTransport().run(job).environment
    assert environment["affinity"] == [core]
    assert environment["pinned_cpu"] == core


def test_peak_memory_is_the_jobs_own(tiny_models):
    ballast = bytearray(b"x") * (512 << 20)
    job = Job(
        action="measure",
        runtime="litert",
        model=str(tiny_models / "float.tflite"),
        timing=Timing(warmup_calls=1, seconds=0.01, min_calls=2),
    )
    peak = LocalTransport().run(job).measurement.peak_rss_bytes
    assert 10 << 20 < peak < len(ballast)


def test_a_child_is_gone_when_its_job_is_done(plug_ins, model):
    before = set(process._running)  # a fixture of other tests may keep a child
    with pytest.raises(RuntimeFault):
        LocalTransport().run(Job(action="measure", runtime="hanging", model=model), timeout_s=1.0)
    assert process._running == before
