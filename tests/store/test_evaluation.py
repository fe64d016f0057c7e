from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DamagedError, StoreError
from edgekit.store import KeptEvaluation
from edgekit.store.evaluation import pack_hits, unpack_hits


@pytest.fixture
def make_evaluation():
    def make(right=(True, False, True), **fields):
        values = {
            "sha256": "a" * 64,
            "model": "mobilenet",
            "target": "tflite",
            "precision": "int8",
            "dataset": "glyphs",
            "split": "test",
            "samples": len(right),
            "sample_digest": "d" * 64,
            "metric": {"name": "top1", "value": 66.67, "ci95": [9.43, 99.16]},
            "device": "local-cpu",
            "runtime": "litert",
            "started": "2026-11-21T23:17:28Z",
            "hits": pack_hits(right),
        }
        return KeptEvaluation(**{**values, **fields})

    return make


@given(st.lists(st.booleans(), max_size=100))
def test_hits_come_back_as_they_were(right):
    hits = pack_hits(right)
    assert len(hits) == (len(right) + 7) // 8
    assert unpack_hits(hits, len(right)) == right


def test_hits_are_packed_as_numpy_packs_bits():
    import numpy as np

    right = np.random.default_rng(1).random(1003) < 0.9
    assert pack_hits(right) == np.packbits(right).tobytes()


def test_an_evaluation_survives_json_with_and_without_hits(make_evaluation):
    for evaluation in (make_evaluation(), make_evaluation(hits=None), make_evaluation([])):
        assert KeptEvaluation.from_json(evaluation.to_json()) == evaluation


def test_hits_of_other_samples_are_refused(make_evaluation):
    with pytest.raises(ValueError, match="1 bytes of hits are not 9 samples"):
        make_evaluation(samples=9)
    document = make_evaluation().to_json()
    for hits in ("zz", "00ff", 3):
        with pytest.raises(StoreError, match="hits"):
            KeptEvaluation.from_json({**document, "hits": hits})
    with pytest.raises(StoreError, match="hits"):
        KeptEvaluation.from_json({**document, "samples": 9})


def test_evaluations_are_found_newest_first(store, make_evaluation):
    first = make_evaluation()
    later = make_evaluation(
        [False, True], sha256="b" * 64, precision="fp32", started="2026-11-22T00:00:00Z"
    )
    assert (store.add_evaluation(first), store.add_evaluation(later)) == (1, 2)

    def found(**asked):
        return list(store.evaluations(**asked)[0].items())

    assert found() == [(2, later), (1, first)]
    assert found(sample_digest="d" * 64, dataset="glyphs") == [(2, later), (1, first)]
    assert found(limit=1) == [(2, later)]
    assert found(sha256="a") == found(precision="int8") == [(1, first)]
    assert found(split="validation") == []


@pytest.mark.parametrize("facts", ["'{bad'", "'{}'", "cast(x'7bff7d' as text)", "x'00'"])
def test_one_damaged_evaluation_hides_no_other(store, place, make_evaluation, sql, facts):
    for _ in range(2):
        store.add_evaluation(make_evaluation())
    sql(place, f"UPDATE evaluation SET facts = {facts} WHERE number = 1")
    found, (problem,) = store.evaluations()
    assert list(found) == [2]
    assert problem.startswith("evaluation 1: damaged: ")
    with pytest.raises(DamagedError, match="evaluation 1"):
        store.evaluation(1)


def test_two_artifacts_judged_on_the_same_samples_can_be_paired(store, make_evaluation):
    store.add_evaluation(make_evaluation([True, True, False, True]))
    store.add_evaluation(make_evaluation([True, False, True, True], sha256="b" * 64))
    found, _ = store.evaluations(sample_digest="d" * 64)
    second, first = (one.right() for one in found.values())
    pairs = list(zip(first, second, strict=True))
    assert (pairs.count((True, False)), pairs.count((False, True))) == (1, 1)


def test_a_metric_without_right_and_wrong_has_no_hits(make_evaluation):
    assert make_evaluation(hits=None).right() is None
