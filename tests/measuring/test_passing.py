from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.device import DeviceProfile
from edgekit.errors import DeviceLostError, RuntimeFault
from edgekit.job import Job, JobResult
from edgekit.measuring.passing import OPS_CALLS, Passing, add_passes, run_passes
from edgekit.passes import PASSES, parse
from edgekit.run import Contender, Run
from edgekit.store import Store
from edgekit.transports.base import Transport
from edgekit.transports.connect import Device
from edgekit.transports.local import LocalTransport


class Recording(Transport):
    """Answers every job with an absence and remembers it."""

    def __init__(self, fails=(), lost_at=None):
        self.jobs, self.inputs, self.fails, self.lost_at = [], [], fails, lost_at

    @classmethod
    def from_profile(cls, profile):
        raise NotImplementedError

    def _run(self, job, timeout_s):
        self.jobs.append(job)
        if job.inputs:
            self.inputs.append(np.load(job.inputs))
        if job.action == self.lost_at:
            raise DeviceLostError("the connection was lost")
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


def test_a_device_that_was_lost_is_not_told_as_what_a_pass_found(contender):
    kept = []
    with pytest.raises(DeviceLostError):
        run_passes(
            ("memory", "ops"),
            [contender()],
            Recording(lost_at="ops"),
            keep=lambda *told: kept.append(told[1]),
        )
    assert kept == ["memory"]


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


def run_of(*contenders):
    described = [
        Contender(
            name=one.name,
            model="tiny",
            target=one.artifact.target,
            precision="fp32",
            sha256=one.artifact.sha256,
            bytes=one.artifact.bytes,
            path=str(one.artifact.path),
            runtime=one.job.runtime,
            delegate=None,
            threads=threads,
        )
        for one, threads in contenders
    ]
    environment = {"affinity": [3, 4]}
    return Run("k", "profile", "board", "2026-01-01T00:00:00Z", {}, environment, tuple(described))


def test_documents_are_kept_at_once_and_those_of_before_stay(contender, tmp_path):
    first, second = contender(), contender("onnx", "onnxruntime")
    run = run_of((first, 1), (second, 2))
    device = Device(DeviceProfile("board", "", "local"), Recording(), {"affinity": [3, 4]})
    artifacts = [first.artifact, second.artifact]
    with Store.open(tmp_path / "store.sqlite") as store:
        number = store.begin(run)
        had = {first.name: {"ops": {"unavailable": "before"}}}
        store.add_pass(number, 0, "ops", had[first.name]["ops"])
        found = add_passes(
            ("memory", "ops"),
            replace(run, passes=had),
            artifacts,
            device,
            keeper=store,
            number=number,
        )
        assert store.load(number).passes == found.passes
    missing = {"unavailable": "not here"}
    assert found.passes == {
        first.name: {"memory": missing, "ops": {"unavailable": "before"}},
        second.name: {"memory": missing, "ops": missing},
    }
    # One thread has one core; two need two.
    jobs = device.transport.jobs
    assert [(job.action, job.cpu) for job in jobs] == [
        ("memory", 3), ("memory", None), ("ops", None),
    ]  # fmt: skip
