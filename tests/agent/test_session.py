"""A session in the agent: one model, opened, timed block by block, and what is said besides."""

from __future__ import annotations

import gc

import pytest

from edgekit.agent.session import handler
from edgekit.errors import DeviceError, UsageError
from edgekit.job import Job, Timing


@pytest.fixture(autouse=True)
def collector():
    """A session switches it off for its process; here it goes on."""
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def job(tiny_models):
    return Job(
        action="measure",
        runtime="litert",
        model=str(tiny_models / "float.tflite"),
        timing=Timing(warmup_calls=3),
    )


@pytest.fixture
def ask():
    handle = handler()
    return lambda **step: handle(step, lambda event: None)


def test_a_session_is_opened_once_and_timed_block_by_block(ask, job):
    opened = ask(step="open", job=job.to_json())
    assert len(opened["warmup_ns"]) == 3
    assert opened["load_ns"] > 0
    assert opened["first_ns"] > 0
    for wanted in (1, 7, 40):
        block = ask(step="block", seconds=0.0, min_calls=wanted)
        assert len(block["samples_ns"]) == len(block["cpu_ns"]) == len(block["call_ns"]) == wanted
        assert all(whole >= part for part, whole in zip(*(block[key] for key in
                   ("samples_ns", "call_ns")), strict=True))  # fmt: skip


def test_a_block_lasts_as_long_as_asked(ask, job):
    ask(step="open", job=job.to_json())
    block = ask(step="block", seconds=0.05, min_calls=1)
    assert sum(block["call_ns"]) <= 1e9
    assert len(block["samples_ns"]) > 10


def test_facts_tell_memory_placement_and_environment(ask, job):
    ask(step="open", job=job.to_json())
    ask(step="block", seconds=0.0, min_calls=2)
    facts = ask(step="facts")
    assert facts["placement"]["delegated"] > 0
    assert facts["peak_rss_bytes"] is None or facts["peak_rss_bytes"] > 10**6
    assert facts["environment"]["runtime"] == "litert"
    assert "steal_share" in facts["environment"]


def test_work_is_done_and_tells_nothing(ask, job):
    ask(step="open", job=job.to_json())
    assert ask(step="work", seconds=0.01) == {}


def test_garbage_is_not_collected_between_calls(ask, job):
    ask(step="open", job=job.to_json())
    assert not gc.isenabled()


def test_a_step_before_the_model_is_opened_is_refused(ask):
    with pytest.raises(UsageError, match="no model was opened"):
        ask(step="block", seconds=0.0, min_calls=1)


@pytest.mark.parametrize(
    "step",
    [
        {"step": "dance"},
        {"step": "block", "seconds": -1.0, "min_calls": 1},
        {"step": "block", "seconds": 0.0, "min_calls": 0},
        {"step": "block", "seconds": 0.0, "min_calls": 10**9},
        {"step": "open", "job": {}},
    ],
)
def test_a_malformed_step_is_refused(ask, job, step):
    ask(step="open", job=job.to_json())
    with pytest.raises(UsageError):
        ask(**step)


def test_a_delegate_that_runs_nothing_is_an_error(ask, job, monkeypatch):
    ask(step="open", job={**job.to_json(), "delegate": "xnnpack"})
    monkeypatch.setattr(
        "edgekit.agent.session.check_delegate",
        lambda delegate, placement: (_ for _ in ()).throw(DeviceError(f"{delegate} runs none")),
    )
    with pytest.raises(DeviceError, match="xnnpack runs none"):
        ask(step="facts")
