"""What a search says of candidates and in its refusal."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgekit.errors import GateError
from edgekit.mixing.search import Search
from edgekit.quantization.mixed.searching import Searched, Tried


@pytest.fixture
def search():
    """A search below a limit, of a plain file that loses 40 points."""

    def make(limit=0.1):
        refusal = GateError("own tflite-int8 loses 40.00 points", "details", limit="max_drop")
        refusal.drop = 40.0
        order = SimpleNamespace(
            gate=SimpleNamespace(max_drop=limit), source=SimpleNamespace(name="own"),
            metric="top1", budget_s=300.0,
        )  # fmt: skip
        workshop = SimpleNamespace(order=order, report=lambda progress: None)
        step = SimpleNamespace(label="tflite-int8")
        return Search(workshop, step, {"evaluation": None}, refusal, (1.0, 0.0))

    return make


def refused(search, *, complete, gated=(), drop=3.0):
    search._gated += gated
    longer = not complete
    searched = Searched(None, (Tried(2, drop),), complete=complete)
    return search._refused(9, searched, longer=longer)


@pytest.mark.parametrize(("lost", "noise"), [(None, 90.0), (0.0, 90.0), (400.0, 0.1)])
def test_no_estimate_is_above_100_points(search, lost, noise):
    one = search()
    one._plain_noise = 1.0
    trials = SimpleNamespace(run=lambda kept: (lost, noise), layers=(0, 1))
    assert one._candidate(trials, 1) == 100.0


def test_an_estimate_is_called_one_and_says_by_which_samples(search):
    error = refused(search(), complete=True)
    assert "would still lose about 3.00 points of top1 with 2 of 9 layers" in error.message
    assert "an estimate by the search's samples; by the gate's, which are others" in str(
        error.details
    )


def test_what_the_gate_measured_is_no_estimate(search):
    error = refused(search(), complete=True, gated=[(4, 0.5)])
    assert "still loses 0.50 points of top1 with 4 of 9 layers" in error.message
    assert "about" not in error.message


def test_more_time_is_advised_only_where_there_was_more_to_try(search):
    assert "--budget" in refused(search(), complete=False).hint
    exhausted = refused(search(), complete=True).hint
    assert "--budget" not in exhausted
    assert "fp16" in exhausted


def test_what_the_limit_and_the_drop_differ_by_can_be_seen(search):
    error = refused(search(limit=0.0), complete=True, drop=0.004)
    assert "lose about 0.004 points" in error.message
    assert "the limit is 0.000" in error.message
