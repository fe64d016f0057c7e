from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edgekit.errors import ArtifactError
from edgekit.metrics import METRICS
from edgekit.metrics.base import percentiles
from edgekit.metrics.detection import Matched, Matches, average_precision
from edgekit.metrics.differences import MARGIN, Difference, adjusted, differ, holm
from edgekit.statistics import mcnemar

CLASSES = 4
ROWS = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 3), min_size=1, max_size=60)
BY_CLASS = st.sampled_from(["top1", "f1"])


def judged(name, answers, labels):
    return METRICS[name].judge([np.eye(CLASSES, dtype=np.float32)[answers]], labels)


def both(name, rows):
    labels, first, second = np.array(rows).T
    return [judged(name, answers, labels) for answers in (first, second)]


def found_by(random, pictures, noise=0.0):
    """What a detector of one class found in pictures that are hard to it or not; and a noisy twin.

    Like real ones, its scores go together within a picture.
    """
    objects = random.poisson(1.5, pictures)
    hard = random.normal(0, 0.8, pictures)
    found = np.repeat(np.arange(pictures), objects)
    false = np.repeat(np.arange(pictures), random.poisson(1.0, pictures))
    at = np.concatenate([found, false])
    right = np.arange(len(at)) < len(found)
    scores = random.normal(np.where(right, 1.2, -0.8) + hard[at] * right, 1.1)
    twins = [scores, scores + random.normal(0, noise, len(scores))]
    return [
        [Matches(0, s[order], at[order], right[order][None], objects)]
        for s in twins
        for order in [np.argsort(-s, kind="stable")]
    ]


def detections(random, pictures, noise=0.0):
    return [Matched.of(matches, pictures) for matches in found_by(random, pictures, noise)]


@settings(max_examples=30)
@given(name=BY_CLASS, rows=ROWS)
def test_a_model_does_not_differ_from_itself(name, rows):
    one, _ = both(name, rows)
    found = differ(METRICS[name], one, one)
    assert (found.difference, found.p, found.lost, found.won) == (0.0, 1.0, 0, 0)
    low, high = found.ci95
    assert low == -high
    assert low < 0 < high
    assert found.verdict in {"indistinguishable", "inconclusive"}


@settings(max_examples=30)
@given(name=BY_CLASS, rows=ROWS)
def test_exchanging_the_models_negates_the_difference(name, rows):
    first, second = both(name, rows)
    one, other = (differ(METRICS[name], *pair) for pair in ((first, second), (second, first)))
    assert other.difference == -one.difference
    assert (other.lost, other.won) == (one.won, one.lost)
    # Drawn exchanges are not the same ones: p of F1 is equal but for chance.
    assert other.p == pytest.approx(one.p, abs=0.0 if name == "top1" else 0.03)
    rough = 1e-9 if name == "top1" else 0.5 * (one.ci95[1] - one.ci95[0])
    assert other.ci95 == pytest.approx((-one.ci95[1], -one.ci95[0]), abs=rough)


@settings(max_examples=50)
@given(name=BY_CLASS, rows=ROWS)
def test_an_interval_holds_the_difference_it_is_of(name, rows):
    first, second = both(name, rows)
    found = differ(METRICS[name], first, second)
    value, (low, high) = METRICS[name].figure(second)
    assert low <= value <= high
    assert found.second == pytest.approx(value)
    if name == "f1" or found.samples > 20:  # Bonett–Price's is shrunk towards 0
        assert found.ci95[0] - 1e-9 <= found.difference <= found.ci95[1] + 1e-9
    assert found.detectable >= (found.ci95[1] - found.ci95[0]) / 2
    assert 0 < found.p <= 1


@given(lost=st.integers(0, 400), won=st.integers(0, 400))
def test_mcnemars_p_is_the_binomial_tests(lost, won):
    expected = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(lost, won) == pytest.approx(expected, rel=1e-9)


def test_the_difference_of_a_detector_from_itself_is_0():
    one, other = detections(np.random.default_rng(0), 60)
    found = differ(METRICS["map50"], one, other)
    assert (found.difference, found.p, found.lost, found.won) == (0.0, 1.0, 0, 0)
    assert found.ci95[0] < 0 < found.ci95[1]


def test_exchanging_detectors_negates_their_difference():
    pair = detections(np.random.default_rng(1), 50, noise=0.6)
    one = differ(METRICS["map50"], *pair)
    other = differ(METRICS["map50"], *reversed(pair))
    assert other.difference == -one.difference != 0
    assert other.ci95 == pytest.approx((-one.ci95[1], -one.ci95[0]))
    assert (other.lost, other.won) == (one.won, one.lost)
    assert one.lost + one.won > 3
    assert other.p == pytest.approx(one.p, abs=0.06)


def test_a_detector_that_misses_what_the_other_finds_is_worse():
    random = np.random.default_rng(2)
    one, _ = detections(random, 80)
    (found,) = one.matches
    seen = found.pictures % 3 > 0
    blind = Matches(
        0, found.scores[seen], found.pictures[seen], found.right[:, seen], found.objects
    )
    gone = differ(METRICS["map50"], one, Matched.of([blind], 80))
    assert gone.verdict == "worse"
    assert gone.difference < -15
    assert (gone.won, gone.p) == (0, 0.001)
    assert 10 < gone.lost <= 27


def test_the_p_value_of_f1_is_near_the_binomial_tests_where_f1_is_nearly_accuracy():
    labels = np.repeat([0, 1], 200)
    first, second = labels.copy(), labels.copy()
    first[:4], first[200:204] = 1, 0
    second[10:20], second[210:220] = 1, 0
    found = differ(METRICS["f1"], judged("f1", first, labels), judged("f1", second, labels))
    assert (found.lost, found.won) == (20, 8)
    assert found.p == pytest.approx(mcnemar(20, 8), abs=0.01)


def coverage(reps, pictures, make, truth, interval):
    hits = 0
    for rep in range(reps):
        low, high = interval(make(np.random.default_rng(rep), pictures))
        hits += low <= truth <= high
    return hits / reps


@pytest.fixture(scope="module")
def confusion():
    """What is answered for each of four classes, how often."""
    chances = np.array(
        [[0.9, 0.06, 0.03, 0.01], [0.1, 0.8, 0.05, 0.05], [0, 0.1, 0.85, 0.05], [0.02, 0, 0, 0.98]]
    )
    right, answered = np.diag(chances), chances.sum(axis=0)
    return chances, 100 * np.mean(2 * right / (1 + answered))


def drawn_answers(random, labels, chances):
    edges = chances.cumsum(axis=1)[labels]
    return np.minimum((random.random((len(labels), 1)) > edges).sum(axis=1), CLASSES - 1)


def test_the_interval_of_f1_covers_the_true_figure_in_about_95_of_100_tries(confusion):
    chances, truth = confusion
    labels = np.arange(200) % CLASSES

    def make(random, count):
        return judged("f1", drawn_answers(random, labels[:count], chances), labels[:count])

    share = coverage(200, 200, make, truth, lambda one: METRICS["f1"].figure(one)[1])
    assert 0.91 <= share <= 0.985


def test_the_paired_interval_of_f1_covers_no_difference_in_at_least_90_of_100_tries(confusion):
    chances, _ = confusion
    labels = np.arange(400) % CLASSES

    def make(random, count):
        first = drawn_answers(random, labels, chances)
        again = random.random(count) < 0.2
        second = np.where(again, drawn_answers(random, labels, chances), first)
        return [judged("f1", answers, labels) for answers in (first, second)]

    share = coverage(150, 400, make, 0.0, lambda pair: METRICS["f1"].gap(*pair).ci95)
    assert share >= 0.9


def test_the_intervals_of_average_precision_cover_in_about_9_of_10_tries():
    metric = METRICS["map50"]
    everything, twin = found_by(np.random.default_rng(999), 20_000, noise=0.5)
    truth, of_twin = (
        100 * average_precision(one, np.ones((1, 20_000)))[0] for one in (everything, twin)
    )
    single = paired = 0
    for rep in range(60):
        one, other = detections(np.random.default_rng(rep), 120, noise=0.5)
        low, high = metric.figure(one)[1]
        single += low <= truth <= high
        low, high = percentiles(other.resampled - one.resampled, other.value - one.value)
        paired += low <= of_twin - truth <= high
    # Intervals half as wide would cover in 40 of these 60.
    assert 51 <= single < 60
    assert 51 <= paired < 60


@pytest.mark.parametrize(("samples", "flips"), [(200, 20), (500, 10), (2000, 0), (2000, 20)])
def test_the_smallest_difference_that_is_seen_is_found_in_about_8_of_10_tries(samples, flips):
    labels = np.zeros(samples, np.int64)
    first, second = np.zeros((2, samples), np.int64)
    first[: flips // 2] = second[flips // 2 : flips] = 1
    found = differ(METRICS["top1"], judged("top1", first, labels), judged("top1", second, labels))
    wanted = found.detectable / 100
    differing = max(flips / samples, wanted)
    power = 0.0
    for count in range(samples + 1):
        chance = stats.binom.pmf(count, samples, differing)
        if chance > 1e-9:
            won = np.arange(count + 1)
            seen = 2 * stats.binom.cdf(np.minimum(won, count - won), count, 0.5) <= 0.05
            share = (differing + wanted) / 2 / differing
            power += chance * stats.binom.pmf(won, count, share)[seen].sum()
    assert 0.74 < power < 0.91


@pytest.mark.parametrize(
    ("ci95", "p", "verdict"),
    [
        ((0.2, 0.9), 0.01, "better"),
        ((-3.0, -0.1), 0.04, "worse"),
        ((0.1, 0.9), 0.06, "indistinguishable"),
        ((-0.9, 1.0), 0.5, "indistinguishable"),
        ((-0.9, 1.1), 0.5, "inconclusive"),
        ((0.1, 1.9), 0.2, "inconclusive"),
        ((-0.1, 0.4), 0.01, "indistinguishable"),
    ],
)
def test_the_verdict_rests_on_interval_margin_and_p(ci95, p, verdict):
    found = Difference("top1", 100, 50.0, 50.4, ci95, p, p, 1, 2, 1.0, 100, 1.0)
    assert found.verdict == verdict
    assert found.to_json()["verdict"] == verdict


def test_holms_p_values_are_those_of_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_p_values_are_never_smaller_and_keep_their_order(values):
    found = holm(values)
    assert all(a <= b <= 1 for a, b in zip(values, found, strict=True))
    assert sorted(range(len(values)), key=lambda i: (values[i], i)) == sorted(
        range(len(values)), key=lambda i: (found[i], values[i], i)
    )


def test_a_difference_that_is_one_of_many_has_to_be_clearer():
    labels = np.zeros(500, np.int64)
    first, second = np.zeros((2, 500), np.int64)
    first[:8] = 1
    found = differ(METRICS["top1"], *(judged("top1", a, labels) for a in (first, second)))
    assert (found.verdict, found.p) == ("better", 2 / 2**8)
    assert [one.verdict for one in adjusted([found] * 5)] == ["better"] * 5
    assert {one.verdict for one in adjusted([found] * 7)} == {"inconclusive"}


def test_a_wider_margin_needs_fewer_samples():
    labels = np.zeros(300, np.int64)
    answers = np.random.default_rng(3).integers(0, 2, (2, 300))
    pair = [judged("top1", a, labels) for a in answers]
    narrow, wide = (differ(METRICS["top1"], *pair, margin=margin) for margin in (MARGIN, 5.0))
    assert narrow.samples_for_margin == pytest.approx(25 * wide.samples_for_margin, rel=0.01)
    assert narrow.samples_for_margin > 300


def test_models_judged_on_other_samples_are_no_pair():
    labels = np.zeros(9, np.int64)
    with pytest.raises(ArtifactError, match="9 and 8 samples are no pairs"):
        differ(METRICS["f1"], judged("f1", labels, labels), judged("f1", labels[1:], labels[1:]))


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("top1", np.zeros(4, np.uint8)),
        ("top1", np.zeros(5, bool)),
        ("top1", np.zeros((2, 2), bool)),
        ("top1", np.zeros(0, bool)),
        ("f1", np.zeros(4, bool)),
        ("f1", np.zeros(3, np.int64)),
        ("f1", np.array([0, 1, -1, 0])),
        ("map", np.zeros(4, bool)),
    ],
)
def test_marks_that_cannot_be_of_these_samples_are_refused(name, marks):
    with pytest.raises(ArtifactError):
        METRICS[name].recall(marks, np.array([0, 1, 2, 3]))


def test_huge_answers_in_a_file_cost_no_memory():
    labels = np.arange(40) % CLASSES
    recalled = METRICS["f1"].recall(np.where(labels == 0, 2**40, labels), labels)
    assert METRICS["f1"].figure(recalled)[0] == pytest.approx(60.0)


@pytest.mark.parametrize("name", ["top1", "f1", "in_scope"])
def test_marks_tell_the_same_as_the_outputs_did(name):
    random = np.random.default_rng(4)
    labels, answers = random.integers(0, CLASSES, (2, 90))
    one = judged(name, answers, labels)
    again = METRICS[name].recall(one.marks, labels)
    assert METRICS[name].figure(again) == METRICS[name].figure(one)
