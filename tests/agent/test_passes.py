from __future__ import annotations

import json

import pytest

from edgekit.agent.passes import perform_pass
from edgekit.errors import DeviceError, RuntimeFault, UsageError
from edgekit.job import Job, JobResult, Timing
from edgekit.transports.local import LocalTransport

FILES = [("litert", "float.tflite"), ("onnxruntime", "float.onnx"), ("openvino", "float.xml")]
FEW = Timing(warmup_calls=3, seconds=0.01, min_calls=10)


def numbers(value):
    """Every number in a document, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ((f"{key}.{way}", n) for way, n in numbers(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float):
        yield "", value


@pytest.mark.parametrize(("runtime", "file"), FILES)
def test_memory_grows_from_step_to_step_in_a_fresh_process(tiny_models, runtime, file):
    model = tiny_models / file
    job = Job(action="memory", runtime=runtime, model=str(model), timing=FEW)
    found = LocalTransport().run(job).documents["memory"]
    steps = found["steps"]
    assert [step["step"] for step in steps] == ["start", "import", "load", "first", "calls"]
    peaks = [step["peak_rss_bytes"] for step in steps]
    assert peaks == sorted(peaks)
    assert peaks[0] + 5e6 < peaks[-1]
    for step in steps:
        parts = ("anonymous_bytes", "file_bytes", "shared_bytes")
        assert abs(sum(step[part] for part in parts) - step["rss_bytes"]) < 2**20
    weights = model.with_suffix(".bin").stat().st_size if runtime == "openvino" else 0
    assert found["model_bytes"] == model.stat().st_size + weights
    assert found["calls"] == 10


def test_a_system_without_proc_tells_no_memory(tiny_models, tree_of):
    job = Job(
        action="memory",
        runtime="onnxruntime",
        model=str(tiny_models / "float.onnx"),
        timing=FEW,
    )
    found = perform_pass(job, tree_of({})).documents["memory"]
    assert {step["rss_bytes"] for step in found["steps"]} == {None}
    assert found["evidence"] == "the system is silent"


def test_energy_is_unavailable_without_a_counter_and_nothing_else_is_said(tiny_models, tree_of):
    job = Job(
        action="energy",
        runtime="onnxruntime",
        model=str(tiny_models / "float.onnx"),
        timing=FEW,
    )
    found = perform_pass(job, tree_of({})).documents["energy"]
    assert found == {"unavailable": "no counter: no RAPL; no amd_energy; no battery"}


def test_no_document_of_this_machine_holds_a_zero_that_was_not_measured(tiny_models):
    transport = LocalTransport()
    allowed = ("steps.shared_bytes.",)  # pages that nobody shares, told by the kernel
    for runtime, file in [("litert", "busy.tflite"), ("openvino", "float.xml")]:
        for action in ("memory", "ops", "energy"):
            job = Job(action=action, runtime=runtime, model=str(tiny_models / file), timing=FEW)
            found = transport.run(job).documents[action]
            if "unavailable" in found:
                assert list(found) == ["unavailable"]
                continue
            for way, number in numbers(found):
                below_the_clock = way in ("ops.ms.", "ops.share.")
                assert number != 0 or way.startswith(allowed) or below_the_clock, (action, way)


def test_a_pass_without_a_model_is_refused():
    with pytest.raises(UsageError, match="model: the action 'ops' needs it"):
        Job.from_json(Job(action="ops", runtime="litert").to_json())


def test_a_runtime_that_fails_in_a_pass_says_in_which(tiny_models, monkeypatch):
    from edgekit.agent.runtimes import onnxruntime

    def fail(*_):
        raise ValueError("no memory left")

    monkeypatch.setattr(onnxruntime._SessionModel, "ops", fail)
    job = Job(action="ops", runtime="onnxruntime", model=str(tiny_models / "float.onnx"))
    with pytest.raises(RuntimeFault, match="failed in the pass 'ops': no memory left"):
        perform_pass(job)


def test_documents_come_through_the_wire_as_they_were():
    found = {"energy": {"unavailable": "no counter"}}
    sent = json.loads(json.dumps(JobResult(environment={}, documents=found).to_json()))
    assert JobResult.from_json(sent).documents == found


def test_an_answer_of_an_agent_without_passes_is_still_read():
    assert "documents" not in JobResult(environment={}).to_json()


@pytest.mark.parametrize(
    ("documents", "complaint"),
    [
        ({"phases": {"unavailable": "x"}}, "'phases' is no pass of a device"),
        ({"memory": {}}, "the key 'steps' is missing"),
        ({"energy": {"unavailable": "x", "joules": 1}}, "unknown key joules"),
    ],
)
def test_documents_of_a_device_are_distrusted(documents, complaint):
    sent = {**JobResult(environment={}).to_json(), "documents": documents}
    with pytest.raises(DeviceError, match=complaint):
        JobResult.from_json(sent)
