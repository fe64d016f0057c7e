from __future__ import annotations

import json

import pytest

from edgekit.agent import machine
from edgekit.errors import ArtifactError, DeviceError, FileError, RuntimeFault, UsageError
from edgekit.measuring.contenders import Asked
from edgekit.roofline.limits import Limits, Machine, Rate
from edgekit.roofline.probing.measuring import Effort
from edgekit.store import Store
from edgekit.verbs.profile import profile
from edgekit.verbs.roofline import roofline

MOMENT = Effort(processes=1, seconds=0.001, most_bytes=2**22)
MACS = 6 * 6 * 8 * 27 + 8 * 4  # of the tiny TFLite model, by hand


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """A store of the test's own."""
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "measurements.sqlite"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def known(monkeypatch):
    """Limits that need not be measured: 100 billion operations, 50 GB a second."""
    peak = Rate(1e11, (0.9e11, 1.1e11), 7, "a kernel")
    moved = Rate(5e10, (4.5e10, 5.5e10), 7, "a loop")

    def measure(threads, **_):
        limits = {count: Limits(count, peak, peak, {2**28: moved}, moved, {}) for count in threads}
        return Machine(machine.describe(), {}, limits, "2026-01-01T00:00:00Z")

    monkeypatch.setattr("edgekit.verbs.roofline.measure_machine", measure)


def test_real_files_on_the_real_machine_have_shares_between_nothing_and_everything(
    make_artifact, monkeypatch
):
    monkeypatch.setattr("edgekit.verbs.roofline.available_cores", lambda: 1)
    paths = [make_artifact(target).path for target in ("tflite", "onnx", "openvino")]
    paths.append(make_artifact("tflite", precision="int8").path)
    found = roofline([Asked(path) for path in paths], effort=MOMENT, rounds=1)
    assert len(found.rows) == 4
    for row in found.rows:
        assert 0 < row.share.value <= 1.1
        assert row.share.ci95[0] <= row.share.value <= row.share.ci95[1]
        assert row.subject.measured.clock == "cpu"
    tflite, *_, int8 = found.rows
    assert tflite.subject.counted.macs == int8.subject.counted.macs == MACS
    json.dumps(found.to_json(), allow_nan=False)


def test_latencies_that_are_kept_are_taken_and_the_newest_first(make_artifact, known):
    path = make_artifact().path
    first = roofline([Asked(path)], rounds=1).rows[0].subject.measured
    assert first.source == "run 1, measured now"
    again = roofline([Asked(path)], rounds=1).rows[0].subject.measured
    assert again.source.startswith("run 1 of ")
    assert (again.ms, again.calls) == (first.ms, first.calls)
    assert roofline([Asked(path)], rounds=1, anew=True).rows[0].subject.measured.source == (
        "run 2, measured now"
    )


def test_a_run_with_too_few_processes_for_an_interval_is_measured_anew(make_artifact, known):
    path = make_artifact().path
    roofline([Asked(path)], rounds=2)
    measured = roofline([Asked(path)], rounds=6).rows[0].subject.measured
    assert (measured.source, measured.processes) == ("run 2, measured now", 6)
    assert roofline([Asked(path)]).rows[0].subject.measured.source.startswith("run 2 of ")


def test_a_run_with_another_number_of_threads_is_another_latency(make_artifact, known):
    path = make_artifact().path
    roofline([Asked(path)], rounds=1)
    measured = roofline([Asked(path, threads=2)], rounds=1).rows[0].subject.measured
    assert measured.source == "run 2, measured now"
    assert measured.clock == "wall"


def test_a_kept_run_of_another_machine_is_passed_over(make_artifact, known, monkeypatch):
    path = make_artifact().path
    roofline([Asked(path)], rounds=1)
    here = machine.describe()
    monkeypatch.setattr(machine, "describe", lambda: {**here, "cpu_model": "another"})
    (row,) = roofline([Asked(path)], rounds=1).rows
    assert row.subject.measured.source == "run 2, measured now"


def test_latencies_come_from_a_file_where_one_is_named(make_artifact, known, tmp_path):
    path = make_artifact().path
    file = tmp_path / "run.json"
    profile([Asked(path)], rounds=2, seconds=0.01, out=file)
    (row,) = roofline([Asked(path)], run=file).rows
    assert (row.subject.measured.source, row.subject.measured.processes) == (str(file), 2)
    share = row.limit_ms.value / row.subject.measured.ms.value
    assert row.share.value == pytest.approx(share)
    with Store.open() as kept:
        assert len(kept.find()) == 1  # nothing was measured besides
    shown = {"number": 1, "finished": "2026-11-21T23:17:28Z", **json.loads(file.read_text())}
    file.write_text(json.dumps(shown))  # as `history show --json` prints it
    assert roofline([Asked(path)], run=file).rows == (row,)


def test_a_file_of_another_machine_or_without_the_artifact_is_refused(
    make_artifact, known, tmp_path
):
    path, other = make_artifact().path, make_artifact("onnx").path
    file = tmp_path / "run.json"
    profile([Asked(path)], rounds=1, seconds=0.01, out=file)
    with pytest.raises(DeviceError, match="no finished round of tiny onnx-fp32"):
        roofline([Asked(path), Asked(other)], run=file)
    document = json.loads(file.read_text())
    document["environment"]["cpu_model"] = "another"
    file.write_text(json.dumps(document))
    with pytest.raises(DeviceError, match="another environment") as refused:
        roofline([Asked(path)], run=file)
    assert any(detail.startswith("cpu_model: another") for detail in refused.value.details)


@pytest.mark.parametrize("content", ["", "[", "[]", '{"format": 2}'])
def test_what_is_no_run_is_refused(make_artifact, known, tmp_path, content):
    file = tmp_path / "run.json"
    file.write_text(content)
    with pytest.raises(DeviceError, match=r"run\.json"):
        roofline([Asked(make_artifact().path)], run=file)


def test_what_cannot_be_is_refused_before_anything_is_measured(make_artifact, tmp_path):
    path = make_artifact().path
    with pytest.raises(ArtifactError, match="no such artifact"):
        roofline([Asked(tmp_path / "nothing")])
    with pytest.raises(UsageError, match="delegate GPU is no CPU"):
        roofline([Asked(path, delegate="GPU")])
    with pytest.raises(FileError, match=r"none\.json"):
        roofline([Asked(path)], run=tmp_path / "none.json")


def test_without_artifacts_only_the_machine_is_measured(known):
    found = roofline([])
    assert found.rows == ()
    assert 1 in found.machine.limits


def test_a_runtime_that_fails_on_a_file_is_an_error(make_artifact, known):
    broken = make_artifact(model_file="labels.txt")
    with pytest.raises((RuntimeFault, ArtifactError)):
        roofline([Asked(broken.path)], rounds=1)
