from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import DeviceProfile, TimingRules
from edgekit.errors import ArtifactError, DeviceError, FileError, RuntimeFault, UsageError
from edgekit.job import JobResult
from edgekit.measure import Measurement, Placement
from edgekit.transports.base import Transport
from edgekit.transports.connect import Device
from edgekit.verbs.profile import expand, profile

CORES = [2, 3, 5]


class Recording(Transport):
    """A device that measures nothing and remembers every job. Each call takes 1 ms."""

    def __init__(self):
        self.jobs = []

    @classmethod
    def from_profile(cls, profile):
        return cls()

    def _run(self, job, timeout_s):
        self.jobs.append(job)
        if job.inputs:  # gone after the run
            self.last_input = np.load(job.inputs)
        series = (1_000_000 + len(self.jobs),) * 70
        measurement = Measurement(
            samples_ns=series,
            call_ns=series,
            cpu_ns=series,
            warmup_ns=(5, 5),
            load_ns=10,
            first_ns=20,
            peak_rss_bytes=30 * 10**6,
            placement=Placement(4, 4, 1, {"XNNPACK": 4}, "test"),
            environment={"load_1min": 0.5},
        )
        return JobResult(environment={}, measurement=measurement)


@pytest.fixture
def device(monkeypatch):
    """A recording device in the place of every other."""
    rules = TimingRules(rounds=5, seconds=0.2, warmup=11)
    board = DeviceProfile(name="board", summary="", transport="local", timing=rules)
    reached = Device(board, Recording(), {"affinity": CORES, "cpu_model": "test"})
    monkeypatch.setattr("edgekit.transports.connect.connect", lambda reference: reached)
    return reached


@pytest.fixture
def artifacts(make_artifact):
    return [make_artifact(target).path for target in ("tflite", "onnx", "openvino")]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_round_starts_one_process_per_artifact_in_an_order_of_its_own(device, artifacts):
    result = profile(artifacts, seed=4)
    runtimes = [job.runtime for job in device.transport.jobs]
    rounds = [tuple(runtimes[at : at + 3]) for at in range(0, 15, 3)]
    assert all(sorted(one) == ["litert", "onnxruntime", "openvino"] for one in rounds)
    assert len(set(rounds)) > 1
    assert [len(row.turns) for row in result.rows] == [5, 5, 5]


def test_the_order_depends_on_the_seed_alone(device, artifacts):
    def order(seed):
        device.transport.jobs.clear()
        profile(artifacts, seed=seed)
        return [(job.runtime, job.cpu) for job in device.transport.jobs]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_all_artifacts_of_a_round_run_on_the_same_core_and_rounds_change_it(device, artifacts):
    profile(artifacts, rounds=12)
    cores = [job.cpu for job in device.transport.jobs]
    rounds = [set(cores[at : at + 3]) for at in range(0, 36, 3)]
    assert all(len(one) == 1 for one in rounds)
    assert set().union(*rounds) == set(CORES)


def test_several_threads_are_not_pinned_to_one_core(device, artifacts):
    profile(artifacts, threads=2)
    assert {(job.cpu, job.threads) for job in device.transport.jobs} == {(None, 2)}


def test_the_devices_rules_hold_unless_told_otherwise(device, artifacts):
    profile(artifacts[:1])
    timing = device.transport.jobs[0].timing
    assert (timing.seconds, timing.warmup_calls, len(device.transport.jobs)) == (0.2, 11, 5)
    device.transport.jobs.clear()
    profile(artifacts[:1], seconds=0.7, rounds=2)
    assert (device.transport.jobs[0].timing.seconds, len(device.transport.jobs)) == (0.7, 2)


def test_the_input_is_the_last_golden_sample_as_the_file_takes_it(device, make_artifact):
    artifact = make_artifact(precision="int8")
    golden = np.load(artifact.path / "golden" / "inputs.npy")[-1:]
    profile([artifact.path])
    fed = device.transport.last_input
    scale = artifact.manifest.inputs[0].scale
    assert (fed.dtype, fed.shape) == (np.int8, (1, 8, 8, 3))
    assert np.abs((fed.astype(np.float32) + 128) * scale - golden).max() <= scale


def test_every_raw_sample_is_in_the_document_and_in_the_file(device, artifacts):
    result = profile(artifacts[:2])
    data = json.loads(json.dumps(result.to_json()))
    for row in data["rows"]:
        assert len(row["samples_ns"]) == len(row["cpu_ns"]) == len(row["call_ns"]) == 5 * 70
        assert [turn["calls"] for turn in row["turns"]] == [70] * 5
    assert result.file.parent.as_posix() == "build/profile"
    assert json.loads(result.file.read_text())["rows"] == data["rows"]


def test_a_row_has_every_key_of_the_contract(device, make_artifact):
    metric = {
        "name": "top1",
        "samples": 40,
        "value": 97.5,
        "ci95": [96.7, 98.1],
        "reference": 98.0,
        "drop": 0.5,
        "drop_ci95": [-0.2, 1.2],
    }
    artifact = make_artifact(metric=metric)
    (row,) = profile([artifact.path]).to_json()["rows"]
    assert row["artifact"] == str(artifact.path)
    assert (row["device"], row["runtime"], row["delegate"], row["threads"]) == (
        "board",
        "litert",
        None,
        1,
    )
    assert row["ci95_ms"][0] <= row["median_ms"] <= row["ci95_ms"][1]
    assert row["median_ms"] == pytest.approx(1.000003)
    assert row["p90_ms"] is not None
    assert (row["load_ms"], row["first_ms"]) == (1e-5, 2e-5)
    assert row["peak_rss_bytes"] == 30 * 10**6
    assert row["placement"]["delegated"] == row["placement"]["ops"] == 4
    assert (row["kind"], row["metric"]) == ("measured", metric)


def test_the_file_can_be_placed(device, artifacts, tmp_path):
    place = tmp_path / "deep" / "measured.json"
    assert profile(artifacts[:1], out=place).file == place
    assert json.loads(place.read_text())["format"] == 1


def test_a_place_that_cannot_be_written_is_found_out_before_the_measuring(
    device, artifacts, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        profile(artifacts, out=tmp_path / "file" / "measured.json")
    with pytest.raises(UsageError, match="--out names the file"):
        profile(artifacts, out=tmp_path)
    assert device.transport.jobs == []


def test_a_damaged_artifact_never_reaches_the_device(device, artifacts):
    (artifacts[1] / "model.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"model\.onnx: sha256 differs"):
        profile(artifacts)
    assert device.transport.jobs == []


def test_a_runtime_that_cannot_run_the_target_never_reaches_the_device(device, artifacts):
    with pytest.raises(DeviceError, match="openvino cannot run tflite artifacts"):
        profile(artifacts, runtime="openvino")
    assert device.transport.jobs == []


def test_a_folder_stands_for_the_artifacts_in_it(artifacts, tmp_path):
    model = tmp_path / "build" / "tiny"
    everything = sorted(artifacts)
    assert expand([model]) == everything
    assert expand([tmp_path / "build"]) == everything
    assert expand([artifacts[0], model])[0] == artifacts[0]
    assert sorted(expand([artifacts[0], model])) == everything


def test_a_path_without_artifacts_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="no such artifact"):
        expand([tmp_path / "none"])
    with pytest.raises(ArtifactError, match="holds no artifact"):
        expand([tmp_path])
    with pytest.raises(UsageError, match="no artifact was named"):
        expand([])


def test_a_crash_of_one_artifact_is_reported_and_leaves_no_file(device, artifacts, monkeypatch):
    def crash(job, timeout_s):
        raise RuntimeFault("litert: measure model.tflite: was ended by SIGSEGV")

    monkeypatch.setattr(device.transport, "_run", crash)
    with pytest.raises(RuntimeFault, match="SIGSEGV"):
        profile(artifacts)
    assert not list(Path.cwd().glob("build/profile/*"))


def test_three_targets_are_really_measured_on_this_machine(artifacts):
    result = profile(artifacts, rounds=2, seconds=0.02)
    for row in result.rows:
        assert row.summary.processes == 2
        assert row.summary.median_ms > 0
        assert row.summary.peak_rss_bytes > 10**7
        environments = [turn.measurement.environment for turn in row.turns]
        assert all(one["pinned_cpu"] is not None for one in environments)
    litert = next(row for row in result.rows if row.runtime == "litert")
    assert litert.turns[0].measurement.placement.delegated > 0
    openvino = next(row for row in result.rows if row.runtime == "openvino")
    assert openvino.turns[0].measurement.environment["inference_precision"] == "f32"


def test_a_profile_with_threads_keeps_the_runtime_to_them(make_artifact):
    (row,) = profile([make_artifact("onnx").path], rounds=1, seconds=0.02, threads=2).rows
    environment = row.turns[0].measurement.environment
    assert (environment["threads"], environment["pinned_cpu"]) == (2, None)


def test_rows_of_one_artifact_named_twice_are_one(make_artifact):
    path = make_artifact().path
    assert expand([path, path]) == [path]


def test_the_turn_order_is_recorded(device, artifacts):
    result = profile(artifacts)
    positions = sorted((turn.round, turn.position) for row in result.rows for turn in row.turns)
    assert positions == [(number, place) for number in range(5) for place in range(3)]
