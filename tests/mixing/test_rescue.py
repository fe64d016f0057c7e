"""When an artifact made before is used again, and when layers are searched for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgekit.mixing.rescue import is_settled
from edgekit.spec import Gate

KEPT = {"name": "conv", "op": "CONV_2D", "ops": 1, "share": 0.5, "dtype": "float32"}


def metric(drop):
    interval = [drop - 0.1, drop + 0.1]
    return {
        "name": "top1", "samples": 100, "value": 90.0 - drop, "ci95": [80.0, 95.0],
        "reference": 90.0, "drop": drop, "drop_ci95": interval,
    }  # fmt: skip


@pytest.fixture
def settled(make_artifact):
    """Whether an artifact of this drop, made under one limit, serves an export with another."""

    def ask(drop, made_for, limit, *, kept=(), budget_s=300.0, allow_drop=False, precision="int8"):
        artifact = make_artifact(
            precision=precision,
            metric=metric(drop),
            gate={"max_drop": made_for, "met": drop <= made_for},
            kept=kept,
        )
        order = SimpleNamespace(
            gate=Gate(max_drop=limit),
            budget_s=None if allow_drop else budget_s,
            allow_drop=allow_drop,
        )
        return is_settled(artifact, order)

    return ask


def test_a_plain_file_within_the_limit_is_used_again(settled):
    assert settled(0.4, 1.0, 0.5)


def test_a_plain_file_over_a_new_limit_is_searched(settled):
    assert not settled(0.4, 1.0, 0.2)


def test_without_a_search_it_stays_to_be_refused(settled):
    assert settled(0.4, 1.0, 0.2, budget_s=None)


def test_a_float_file_is_never_searched(settled):
    assert settled(0.4, 1.0, 0.2, precision="fp32")


def test_kept_layers_serve_a_stricter_limit_that_they_meet(settled):
    assert settled(0.1, 1.0, 0.2, kept=[KEPT])


def test_for_a_looser_limit_fewer_may_do(settled):
    assert not settled(0.1, 0.2, 1.0, kept=[KEPT])


def test_an_allowed_loss_is_used_again_where_it_is_allowed(settled):
    assert settled(0.4, 0.2, 0.2, allow_drop=True)


def test_and_searched_where_it_is_not(settled):
    assert not settled(0.4, 0.2, 0.2)


def test_a_manifest_that_would_say_something_else_is_written_anew(settled):
    assert not settled(0.4, 1.0, 0.2, allow_drop=True)
