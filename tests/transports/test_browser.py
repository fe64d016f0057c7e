"""Chromium as a device, for real: what it answers is what the same file answers here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import main
from edgekit.device import read_device_toml
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.job import Job, Timing
from edgekit.measuring.rounds import RoundRules, measure_round
from edgekit.transports.browser import BrowserTransport
from edgekit.transports.local import LocalTransport
from edgekit.transports.web import files

pytestmark = pytest.mark.browser


@pytest.fixture
def transport(chromium):
    return BrowserTransport(chromium)


def here(job_for, runtime, *arguments, **changes):
    """Outputs of the same file and samples in a runtime of this machine."""
    job = job_for(*arguments, runtime=runtime, **changes)
    LocalTransport().run(job)
    return np.load(job.outputs)


def test_int8_of_litert_js_is_bit_identical_to_litert(transport, job_for):
    job = job_for("int8-inside.tflite")
    result = transport.run(job)
    expected = here(job_for, "litert", "int8-inside.tflite")
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(np.load(job.outputs), expected)
    assert result.samples == len(expected) == 11
    assert result.environment["backend"] == "wasm"
    assert result.environment["cross_origin_isolated"] is True
    assert result.environment["runtime_version"] == "2.5.3"
    # Every operator ran in wasm, and nothing is said of a GPU.
    assert "WebGPU" not in str(result.placement)
    assert result.placement.ops == sum(result.placement.executors.values())


def test_integers_as_inputs_are_more_than_litert_js_takes_and_the_error_says_so(transport, job_for):
    with pytest.raises(DeviceError, match="INT8 is not supported for inputs and outputs") as caught:
        transport.run(job_for("int8.tflite", kind="int8"))
    assert "--io native" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "runtime", "close"),
    [("float.tflite", "litert", 1e-6), ("float.onnx", "onnxruntime", 1e-4)],
)
def test_floats_are_those_of_this_machine(transport, job_for, file, runtime, close):
    job = job_for(file)
    result = transport.run(job)
    expected = here(job_for, runtime, file)
    scale = np.abs(expected).max()
    assert np.abs(np.load(job.outputs) - expected).max() <= close * max(1.0, scale)
    assert sum(result.placement.executors.values()) == result.placement.ops > 0
    assert result.placement.delegated == 0 or "XNNPACK" in str(result.placement)


def test_a_file_with_several_inputs_and_outputs_keeps_their_order(transport, tiny_models, tmp_path):
    (tmp_path / "in").mkdir()
    left, right = np.float32([[1, 2, 3, 4, 5]] * 2), np.float32([[2, 2, 2, 2, 2]] * 2)
    np.save(tmp_path / "in" / "left.npy", left)
    np.save(tmp_path / "in" / "right.npy", right)
    for file, runtime in (("pair.tflite", "litert-js"), ("pair.onnx", "onnxruntime-web")):
        out = tmp_path / runtime
        job = Job(
            action="run",
            runtime=runtime,
            model=str(tiny_models / file),
            inputs=str(tmp_path / "in"),
            outputs=str(out),
        )
        result = transport.run(job)
        found = sorted(float(np.load(path)[0, 4]) for path in out.iterdir())
        assert found == [7.0, 10.0]
        assert len(result.outputs) == 2


def test_a_round_is_timed_block_by_block_in_one_chromium_each(transport, job_for):
    jobs = [job_for("busy.tflite", action="measure"), job_for("float.onnx", action="measure")]
    turns = measure_round(
        transport, jobs, 0, rules=RoundRules(seconds=0.05, warmup=5), cores=None, since=0.0
    )
    assert [turn.contender for turn in turns] == [0, 1]
    for turn in turns:
        found = turn.measurement
        assert len(found.blocks) >= 3
        assert min(found.samples_ns) > 0
        assert set(found.cpu_ns) == {0}
        assert found.peak_rss_bytes is None
        facts = found.environment
        assert 1_000 <= facts["clock_resolution_ns"] <= 20_000
        # A sample is many steps of the clock long, before it is divided by its calls.
        stretch = np.median(found.samples_ns) * facts["calls_per_sample"]
        assert stretch >= 10 * facts["clock_resolution_ns"]
        assert facts["cpu_model"] == turns[0].measurement.environment["cpu_model"]
        assert "Chrom" in facts["browser"]
        assert all(whole >= part for part, whole in zip(found.samples_ns, found.call_ns,
                                                        strict=True))  # fmt: skip


def test_several_threads_give_the_same_answers(transport, job_for):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core: wasm has no second thread here")
    for file in ("float.tflite", "float.onnx"):
        one, two = job_for(file), job_for(file, threads=2)
        transport.run(one)
        expected = np.load(one.outputs)
        facts = transport.run(two).environment
        np.testing.assert_allclose(np.load(two.outputs), expected, rtol=1e-5)
        assert facts["threads"] == 2


def test_more_threads_than_there_are_are_refused(transport, job_for):
    with pytest.raises(DeviceError, match=r"1000 threads were asked for; wasm has \d+"):
        transport.run(job_for(threads=1000))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"runtime": "litert"}, "litert does not run in a browser"),
        ({"delegate": "none"}, "no delegate 'none'"),
        ({"cpu": 0}, "cannot be pinned to core 0"),
    ],
)
def test_what_no_browser_can_do_is_refused_before_one_is_started(job_for, changes, complaint):
    with pytest.raises(DeviceError, match=complaint):
        BrowserTransport("/nowhere/chromium").run(job_for(**changes))


def test_webgpu_that_is_not_there_is_an_error_and_never_wasm(transport, job_for, monkeypatch):
    # As on a machine without any GPU: the flags that would make one are left out.
    monkeypatch.setattr("edgekit.transports.web.chromium._GPU", ("--disable-gpu",))
    with pytest.raises(DeviceError, match="WebGPU was asked for and is not there: no adapter"):
        transport.run(job_for(delegate="webgpu"))


@pytest.mark.parametrize("file", ["float.tflite", "float.onnx"])
def test_webgpu_in_software_answers_and_is_never_timed(chromium, job_for, file):
    transport = BrowserTransport(chromium, backend="webgpu", software_gpu=True)
    job = job_for(file)
    result = transport.run(job)
    runtime = "litert" if file.endswith("tflite") else "onnxruntime"
    expected = here(job_for, runtime, file)
    np.testing.assert_allclose(np.load(job.outputs), expected, rtol=1e-2, atol=1e-2)
    assert result.environment["gpu_is_software"] is True
    assert result.placement.executors["WebGPU"] == result.placement.delegated > 0
    assert "compute dispatches counted" in result.placement.evidence
    for action in ("measure", "ops"):
        with pytest.raises(DeviceError, match="no latency from here: SwiftShader"):
            transport.run(job_for(file, action=action))
    with pytest.raises(DeviceError, match="no latency"), transport.session(job):
        pass


def test_a_gpu_in_software_is_recognised_though_the_profile_does_not_say_so(
    chromium, job_for, monkeypatch
):
    software = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    monkeypatch.setattr("edgekit.transports.web.chromium._GPU", software)
    transport = BrowserTransport(chromium, backend="webgpu")
    job = job_for("float.onnx", action="measure")
    with pytest.raises(DeviceError, match=r"(?i)no latency from here: .*swiftshader"):
        transport.run(job)


def children_of(pid):
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def all_below(pid):
    below = children_of(pid)
    return below + [one for child in below for one in all_below(child)]


def is_renderer(pid):
    try:
        return b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("victim", ["browser", "tab"])
def test_a_crash_is_one_error(transport, job_for, victim):
    job = job_for("float.tflite", action="measure")
    before = set(all_below(os.getpid()))
    with transport.session(job) as session:
        session.block(0.01, 2)
        new = set(all_below(os.getpid())) - before
        chosen = filter(is_renderer, new) if victim == "tab" else new
        for pid in chosen:
            os.kill(pid, signal.SIGKILL)
        expected = "the tab crashed" if victim == "tab" else "the browser"
        with pytest.raises(RuntimeFault, match=expected):
            session.work(600.0)
    assert not [pid for pid in new if Path(f"/proc/{pid}").exists() and is_renderer(pid)]


def test_nothing_of_a_browser_is_left_behind(chromium, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    BrowserTransport(chromium).run(Job(action="probe"))
    assert list(tmp_path.glob("edgekit-*")) == []


HOLD = """
import sys, time
from edgekit.job import Job, Timing
from edgekit.transports.browser import BrowserTransport
job = Job(action="measure", runtime="litert-js", model=sys.argv[1], timing=Timing(warmup_calls=1))
with BrowserTransport(sys.argv[2]).session(job):
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_chromium_dies_with_edgekit_even_by_sigkill(chromium, tiny_models):
    command = [sys.executable, "-c", HOLD, tiny_models / "float.tflite", chromium]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout.readline() == "open\n"
        browsers = [pid for pid in all_below(held.pid) if is_renderer(pid)]
        everything = all_below(held.pid)
        assert browsers
        held.kill()
    end = time.monotonic() + 20
    while time.monotonic() < end and any(map(is_alive, everything)):
        time.sleep(0.05)
    assert [pid for pid in everything if is_alive(pid)] == []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_profile_end_to_end(chromium, make_artifact, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    tflite, onnx = make_artifact("tflite"), make_artifact("onnx")
    paths = [str(tflite.path), str(onnx.path)]
    options = ["--device", "chromium", "--rounds", "2", "--seconds", "0.03", "--json"]
    assert main(["profile", *paths, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["runtime"] for row in found["rows"]] == ["litert-js", "onnxruntime-web"]
    for row in found["rows"]:
        assert row["device"] == "chromium"
        assert min(row["samples_ns"]) > 0
        assert row["peak_rss_bytes"] is None
    assert found["rows"][1]["against_first"]["clock"] == "wall"
    assert found["environment"]["runtimes"]["litert-js"] == {"version": "2.5.3"}


def test_eval_gives_the_figure_of_this_machine(chromium, make_artifact, dataset, capsys):
    path = str(make_artifact("tflite").path)
    found = []
    for device in ("local-cpu", "chromium"):
        asked = ["eval", path, "--data", str(dataset), "--device", device, "--json"]
        assert main(asked) == 0
        found.append(json.loads(capsys.readouterr().out))
    here, there = found
    assert there["runtime"] == "litert-js"
    assert there["metric"] == here["metric"]
    assert there["sample_digest"] == here["sample_digest"]


def test_without_the_runtimes_one_line_says_what_to_do(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(files, "RUNTIMES", tmp_path)
    assert main(["devices", "chromium"]) == 0
    out = capsys.readouterr().out
    assert "no: the page's runtimes (LiteRT.js, onnxruntime-web) are not installed" in out
    with pytest.raises(DeviceError) as caught:
        BrowserTransport().run(Job(action="probe"))
    assert "-m edgekit.transports.web.gather" in caught.value.hint


def test_a_chromium_that_is_not_there_is_named_with_the_file_that_names_it(runtimes, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('transport = "browser"\n[browser]\nexecutable = "/nowhere/chromium"\n')
    transport = BrowserTransport.from_profile(read_device_toml(path))
    with pytest.raises(DeviceError, match="no browser here: /nowhere/chromium") as caught:
        transport.run(Job(action="probe"))
    assert caught.value.limit == f"browser.executable in {path}"


def test_a_browser_that_is_none_is_one_error(runtimes):
    with pytest.raises(RuntimeFault, match="the browser ended with status 1"):
        BrowserTransport("false").run(Job(action="probe"))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('backend = "cuda"', r"browser: backend: 'cuda' is not one of wasm, webgpu"),
        ("headless = 1", r"browser: headless: expected true or false"),
        ("windows = true", r"browser: unknown key windows"),
    ],
)
def test_a_wrong_profile_names_file_key_and_what_is_accepted(tmp_path, table, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(f'transport = "browser"\n[browser]\n{table}\n')
    with pytest.raises(DeviceError, match=rf"mine\.toml: {complaint}"):
        BrowserTransport.from_profile(read_device_toml(path))


def test_calls_that_are_shorter_than_the_clock_are_timed_together(transport, job_for):
    job = job_for("float.tflite", action="measure", timing=Timing(5, 0.05, 10))
    result = transport.run(job)
    facts = result.measurement.environment
    assert facts["calls_per_sample"] > 1
    assert result.measurement.blocks == (len(result.measurement.samples_ns),)
