from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.errors import RuntimeFault
from edgekit.job import Job, JobResult
from edgekit.passes import PASSES, parse
from edgekit.passing import OPS_CALLS, Passing, run_passes
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport


class Recording(Transport):
    """Answers every job with an absence and remembers it."""

    def __init__(self, fails=()):
        self.jobs, self.inputs, self.fails = [], [], fails

    @classmethod
    def from_profile(cls, profile):
        raise NotImplementedError

    def _run(self, job, timeout_s):
        self.jobs.append(job)
        if job.inputs:
            self.inputs.append(np.load(job.inputs))
        if job.action in self.fails:
            raise RuntimeFault("litert: ops model.tflite: was ended by SIGSEGV")
        return JobResult(environment={}, documents={job.action: {"unavailable": "not here"}})


@pytest.fixture
def contender(make_artifact):
    def make(target="tflite", runtime="litert", **fields):
        artifact = make_artifact(target, **fields)
        job = Job(action="measure", runtime=runtime, model=str(artifact.model_path), cpu=0)
        return Passing(f"tiny {artifact.label}", artifact, job)

    return make


def test_every_pass_is_a_job_of_its_own_with_the_golden_sample(contender):
    transport, one = Recording(), contender()
    run_passes(("memory", "ops", "energy"), [one], transport)
    assert [job.action for job in transport.jobs] == ["memory", "ops", "energy"]
    assert {job.cpu for job in transport.jobs} == {0}
    assert transport.jobs[1].timing.min_calls == OPS_CALLS
    golden = np.load(one.artifact.path / "golden" / "inputs.npy")[-1:]
    assert all(np.array_equal(fed, golden) for fed in transport.inputs)
    assert len(transport.inputs) == 3


def test_a_pass_that_crashes_says_so_and_stops_no_other(contender):
    kept = []
    found = run_passes(
        ("ops", "memory"),
        [contender()],
        Recording(fails=("ops",)),
        keep=lambda *told: kept.append(told),
    )
    assert found["tiny tflite-fp32"] == {
        "ops": {"unavailable": "litert: ops model.tflite: was ended by SIGSEGV"},
        "memory": {"unavailable": "not here"},
    }
    assert [told[:2] for told in kept] == [
        ("tiny tflite-fp32", "ops"),
        ("tiny tflite-fp32", "memory"),
    ]


def test_phases_are_not_measured_for_another_device(contender):
    found = run_passes(("phases",), [contender()], Recording())
    assert "not on the device" in found["tiny tflite-fp32"]["phases"]["unavailable"]


def test_no_passes_are_no_work(contender):
    transport = Recording()
    assert run_passes((), [contender()], transport) == {"tiny tflite-fp32": {}}
    assert transport.jobs == []


def test_all_passes_of_three_runtimes_are_real_documents(contender):
    contenders = [
        contender("tflite", "litert", precision="int8"),
        contender("onnx", "onnxruntime"),
        contender("openvino", "openvino"),
    ]
    steps = []
    found = run_passes(
        PASSES,
        contenders,
        LocalTransport(),
        energy_seconds=0.01,
        phase_processes=1,
        phase_repetitions=3,
        report=steps.append,
    )
    assert json.loads(json.dumps(found)) == found
    for documents in found.values():
        assert tuple(documents) == PASSES
        for name, document in documents.items():
            assert parse(name, document) == document
        assert "steps" in documents["memory"]
        assert "phases" in documents["phases"]
    assert (steps[-1].done, steps[-1].total) == (4, 4)
