from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import ArtifactError, DeviceError, EdgekitError, UsageError
from edgekit.job import (
    LONGEST_JOB,
    VERSION,
    Job,
    JobResult,
    NonFinite,
    Timing,
    failure_json,
    parse_job,
    parse_result,
    tensor_file,
)
from edgekit.measure import Measurement, Placement
from edgekit.tensor import TensorInfo

PLACEMENT = Placement(3, 2, 1, {"XNNPACK": 2, "kernels": 1}, "DELEGATE nodes")
MEASUREMENT = Measurement(
    samples_ns=(10, 11),
    call_ns=(20, 21),
    cpu_ns=(9, 9),
    blocks=(2,),
    warmup_ns=(50,),
    load_ns=1000,
    first_ns=100,
    peak_rss_bytes=None,
    placement=PLACEMENT,
    environment={"cpu_model": "x", "temperature_c": None},
)
RESULT = JobResult(
    environment={"system": "Linux"},
    inputs=(TensorInfo("image", "int8", (1, 8, 8, 3), 0.5, -128),),
    outputs=(TensorInfo("logits", "float32", (-1, 4)),),
    placement=PLACEMENT,
    samples=2,
    nonfinite=NonFinite(3, 1, 1),
    measurement=MEASUREMENT,
)

jobs = st.builds(
    Job,
    action=st.just("run"),
    runtime=st.text(min_size=1, max_size=20),
    model=st.text(min_size=1, max_size=50),
    threads=st.integers(1, 64),
    delegate=st.none() | st.text(max_size=20),
    options=st.dictionaries(
        st.text("abc_.", min_size=1, max_size=10),
        st.text(max_size=20) | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1),
        max_size=3,
    ),
    inputs=st.text(min_size=1, max_size=50),
    outputs=st.text(min_size=1, max_size=50),
    cpu=st.none() | st.integers(0, 255),
    timing=st.builds(
        Timing,
        warmup_calls=st.integers(0, 100),
        seconds=st.floats(0, 60),
        min_calls=st.integers(1, 1000),
    ),
)


@given(jobs)
def test_a_job_survives_the_wire(job):
    assert parse_job(json.dumps(job.to_json())) == job


def test_a_job_without_options_is_as_it_was_before_there_were_any():
    assert "options" not in Job(action="probe").to_json()


def test_a_result_survives_the_wire():
    assert parse_result(json.dumps(RESULT.to_json())) == RESULT


def test_a_job_of_another_version_is_refused_with_both_versions():
    data = {**Job(action="probe").to_json(), "version": 2}
    with pytest.raises(UsageError, match=f"version 2 of the wire contract.*speaks {VERSION}"):
        Job.from_json(data)


def test_a_result_of_another_version_is_refused_before_its_error_is_believed():
    with pytest.raises(DeviceError, match="version 7"):
        JobResult.from_json({**failure_json(EdgekitError("x")), "version": 7})


def test_a_failed_job_arrives_as_the_agents_own_error():
    sent = ArtifactError("m.tflite: damaged", "by 3 bytes", hint="export it again")
    with pytest.raises(ArtifactError) as caught:
        parse_result(json.dumps(failure_json(sent)))
    assert caught.value.render() == sent.render()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"action": "delete"}, "action: 'delete' is not one of run, measure, probe"),
        ({"threads": 0}, "threads: 0 is outside 1…1024"),
        ({"threads": 10**9}, "threads: 1000000000 is outside"),
        ({"colour": "red"}, "unknown key colour"),
        ({"timing": {"seconds": 1e9}}, "timing: seconds: .* is outside"),
        ({"timing": {"forever": True}}, "timing: unknown key forever"),
        ({"inputs": None}, "inputs: the action 'run' needs it"),
        ({"model": "x" * 5000}, "model: 5000 characters"),
        ({"options": []}, "options: expected a table"),
        ({"options": {"a": None}}, "options: a: None is no text, number or flag"),
        ({"options": {"a": "x" * 5000}}, "options: a: .* is too long or too large"),
        ({"options": {"a": 2**60}}, "options: a: .* is too long or too large"),
        ({"options": dict.fromkeys(map(str, range(65)), 1)}, "options: 65 entries; at most 64"),
    ],
)
def test_a_wrong_job_is_refused_by_key(change, complaint):
    good = Job(action="run", runtime="litert", model="m", inputs="i", outputs="o").to_json()
    with pytest.raises(UsageError, match=complaint):
        Job.from_json({**good, **change})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 50_000, "\x00"])
def test_what_is_no_job_is_refused_without_a_traceback(text):
    with pytest.raises(UsageError, match="job: "):
        parse_job(text)


def test_a_job_without_end_is_not_parsed():
    with pytest.raises(UsageError, match="characters; at most"):
        parse_job(" " * (LONGEST_JOB + 1))


def test_a_measurement_whose_series_differ_in_length_is_refused():
    data = RESULT.to_json()
    data["measurement"]["cpu_ns"].append(5)
    with pytest.raises(DeviceError, match="differ in length"):
        JobResult.from_json(data)


def test_a_measurement_without_a_timed_call_is_refused():
    data = RESULT.to_json()
    for key in ("samples_ns", "call_ns", "cpu_ns"):
        data["measurement"][key] = []
    with pytest.raises(DeviceError, match="no timed call"):
        JobResult.from_json(data)


def test_negative_time_is_refused():
    data = RESULT.to_json()
    data["measurement"]["samples_ns"] = [10, -1]
    with pytest.raises(DeviceError, match="samples_ns: -1 is not a whole number in 0…"):
        JobResult.from_json(data)


@given(st.text(max_size=300))
def test_a_tensors_file_name_stays_in_its_folder(name):
    file = tensor_file(name)
    assert file.endswith(".npy")
    assert not set(file) & set("/\\:\0 ")
    assert not file.startswith(".n") or name == ""
    assert len(file) <= 204


def test_what_a_device_says_cannot_steer_the_terminal():
    data = RESULT.to_json()
    data["environment"] = {
        "cpu_model": "x\x1b]0;owned\x07",
        "runtimes": {"a\n": {"version": "\r1"}},
    }
    data["placement"]["executors"] = {"\x1b[2JXNNPACK": 2}
    result = JobResult.from_json(data)
    shown = json.dumps(result.environment, ensure_ascii=False) + str(result.placement)
    assert shown.isprintable()


@pytest.mark.parametrize("part", [None, "placement", "measurement", "nonfinite"])
def test_a_key_the_contract_does_not_know_is_refused_in_an_answer(part):
    data = json.loads(json.dumps(RESULT.to_json()))
    (data[part] if part else data)["extra"] = 1
    with pytest.raises(DeviceError, match="unknown key extra"):
        JobResult.from_json(data)
