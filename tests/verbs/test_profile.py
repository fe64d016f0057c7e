"""Profiles: rows of one run, kept round by round."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from edgekit.device import DeviceProfile, TimingRules
from edgekit.errors import ArtifactError, FileError, RuntimeFault, UsageError
from edgekit.measuring import running
from edgekit.measuring.contenders import Asked
from edgekit.store import Store
from edgekit.transports.base import Transport
from edgekit.transports.connect import Device
from edgekit.verbs.profile import profile

METRIC = {
    "name": "top1",
    "samples": 40,
    "value": 97.5,
    "ci95": [96.7, 98.1],
    "reference": 98.0,
    "drop": 0.5,
    "drop_ci95": [-0.2, 1.2],
}


class Answering(Transport):
    """A device whose every call takes 1 ms and a bit more each time."""

    def __init__(self, measured):
        self.measured = measured
        self.sessions = 0
        self.crash_at = None

    @classmethod
    def from_profile(cls, profile):
        raise NotImplementedError

    def _run(self, job, timeout_s):
        raise NotImplementedError

    @contextmanager
    def session(self, job):
        self.sessions += 1
        if self.sessions == self.crash_at:
            raise RuntimeFault("litert: measure model.tflite: was ended by SIGSEGV")
        yield self

    def block(self, seconds, min_calls):
        pass

    def work(self, seconds):
        pass

    def measurement(self):
        return self.measured(1 + self.sessions / 1e6)[0]


@pytest.fixture
def device(monkeypatch, measured):
    rules = TimingRules(rounds=5, seconds=0.0, warmup=11)
    board = DeviceProfile(name="board", summary="", transport="local", timing=rules)
    reached = Device(board, Answering(measured), {"affinity": [2], "cpu_model": "test"})
    monkeypatch.setattr("edgekit.transports.connect.connect", lambda reference: reached)
    monkeypatch.setattr("edgekit.transports.connect.find_profile", lambda reference: board)
    return reached


@pytest.fixture
def artifacts(make_artifact):
    made = [make_artifact(target, metric=METRIC) for target in ("tflite", "onnx", "openvino")]
    return [Asked(artifact.path) for artifact in made]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


def test_the_devices_rules_hold_unless_told_otherwise(device, artifacts):
    assert profile(artifacts[:1]).run.rounds == 5
    found = profile(artifacts[:1], rounds=2, seconds=0.001)
    assert (found.run.rounds, found.run.rules["seconds"]) == (2, 0.001)
    assert found.run.rules["warmup_calls"] == 11


def test_every_raw_sample_is_in_the_document_in_the_store_and_in_the_file(
    device, artifacts, tmp_path
):
    place = tmp_path / "deep" / "run.json"
    result = profile(artifacts[:2], out=place)
    data = json.loads(json.dumps(result.to_json()))
    for row in data["rows"]:
        assert len(row["samples_ns"]) == len(row["cpu_ns"]) == len(row["call_ns"]) == 5 * 100
        assert row["calls_of_processes"] == [100] * 5
    with Store.open() as store:
        assert store.load(result.number) == result.run
    assert json.loads(place.read_text()) == json.loads(json.dumps(result.run.to_json()))


def test_a_row_has_every_key_of_the_contract(device, artifacts):
    row, other = profile(artifacts[:2]).to_json()["rows"]
    assert row["artifact"] == str(artifacts[0].path)
    found = [row[key] for key in ("device", "runtime", "delegate", "threads")]
    assert found == ["board", "litert", None, 1]
    assert row["ci95_ms"][0] <= row["median_ms"] <= row["ci95_ms"][1]
    assert row["median_ms"] == pytest.approx(1.0, rel=1e-3)
    assert row["p90_ms"] is not None
    assert set(row["tails"]) == {"p90"}  # 100 calls are too few for more
    assert row["peak_rss_bytes"] == 10**8
    assert row["placement"]["delegated"] == row["placement"]["ops"] == 4
    assert (row["kind"], row["metric"]) == ("measured", METRIC)
    assert row["against_first"] is None
    assert other["against_first"]["ratio"] == pytest.approx(1.0, rel=1e-3)


def test_a_run_that_was_ended_goes_on_where_it_was(device, artifacts):
    device.transport.crash_at = 8  # in the third round of three
    with pytest.raises(RuntimeFault, match="SIGSEGV"):
        profile(artifacts)
    with Store.open() as store:
        (unfinished,) = store.find(finished=False)
        assert store.load(unfinished.number).rounds == 2
    device.transport.crash_at = None
    before = device.transport.sessions
    found = profile(artifacts)
    assert (found.number, found.resumed, found.run.rounds) == (unfinished.number, 2, 5)
    assert device.transport.sessions - before == 3 * 3


def test_who_interrupts_a_run_is_told_what_is_kept(device, artifacts, monkeypatch):
    measured = running.measure_round

    def twice(transport, jobs, number, **rules):
        if number == 2:
            raise KeyboardInterrupt
        return measured(transport, jobs, number, **rules)

    monkeypatch.setattr(running, "measure_round", twice)
    with pytest.raises(KeyboardInterrupt) as caught:
        profile(artifacts)
    assert caught.value.__notes__ == [
        "2 finished rounds kept as run 1; the same command goes on with it"
    ]


def test_one_that_is_asked_for_anew_or_differs_begins_at_the_start(device, artifacts):
    device.transport.crash_at = 8
    with pytest.raises(RuntimeFault):
        profile(artifacts)
    device.transport.crash_at = None
    assert profile(artifacts, rounds=4).resumed == 0
    assert profile(artifacts, fresh=True).resumed == 0
    assert profile(artifacts).resumed == 2
    assert profile(artifacts).resumed == 0  # that one is finished


def test_a_place_that_cannot_be_written_is_found_out_before_the_measuring(
    device, artifacts, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        profile(artifacts, out=tmp_path / "file" / "measured.json")
    with pytest.raises(UsageError, match="--out names the file"):
        profile(artifacts, out=tmp_path)
    assert device.transport.sessions == 0


def test_a_damaged_artifact_never_reaches_the_device(device, artifacts):
    (artifacts[1].path / "model.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"model\.onnx: sha256 differs"):
        profile(artifacts)
    assert device.transport.sessions == 0


def test_three_targets_are_really_measured_on_this_machine(artifacts):
    result = profile(artifacts, rounds=2, seconds=0.02)
    for index, row in enumerate(result.rows):
        assert row.summary.processes == 2
        assert row.summary.median_ms > 0
        assert row.summary.peak_rss_bytes > 10**7
        environments = [one.environment for one in row.measurements]
        assert all(one["pinned_cpu"] is not None for one in environments)
        assert (row.against_first is None) == (index == 0)
    runtimes = {row.contender.runtime: row.measurements[0] for row in result.rows}
    assert runtimes["litert"].placement.delegated > 0
    assert runtimes["openvino"].environment["inference_precision"] == "f32"


def test_a_profile_with_threads_keeps_the_runtime_to_them(artifacts):
    (row,) = profile([artifacts[1]], rounds=1, seconds=0.02, threads=[2]).rows
    environment = row.measurements[0].environment
    assert (environment["threads"], environment["pinned_cpu"]) == (2, None)


def test_a_sustained_run_shows_what_became_of_each(artifacts):
    result = profile(artifacts[:2], sustained_s=2.0)
    assert result.run.command == "sustained"
    assert result.run.rounds == 10
    assert len(result.drifts) == 2
    for drift in result.drifts:
        assert drift.ci95[0] <= drift.ratio <= drift.ci95[1]
        assert sorted(one.rank[0] for one in result.drifts) == [1, 2]
    assert [row.against_first for row in result.rows] == [None, None]
    processes = {turn.measurement.load_ns for turn in result.run.turns_of(0)}
    assert len(processes) == 1


def test_a_kill_loses_no_finished_round_and_the_next_call_goes_on(artifacts, monkeypatch):
    asked = []

    def stop_at_once(transport, jobs, number, **rules):
        asked.append(number)
        raise KeyboardInterrupt

    command = [
        *(sys.executable, "-m", "edgekit", "profile", *(str(one.path) for one in artifacts)),
        *("--rounds", "40", "--seconds", "0.01", "--quiet"),
    ]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    with Store.open() as store:
        while time.monotonic() < deadline:
            begun = store.find(finished=False)
            if begun and store.load(begun[0].number).rounds >= 2:
                break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = store.load(begun[0].number)
    assert 2 <= kept.rounds < 40
    assert all(len(kept.turns_of(index)) == kept.rounds for index in range(3))
    monkeypatch.setattr("edgekit.measuring.running.measure_round", stop_at_once)
    with pytest.raises(KeyboardInterrupt):
        profile(artifacts, rounds=40, seconds=0.01)
    assert asked == [kept.rounds]  # the first round that was not there
    with Store.open() as store:
        assert store.load(begun[0].number) == kept
