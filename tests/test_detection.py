from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.datasets.images import letterbox_geometry
from edgekit.detection import box_overlaps, decode, suppress

GOLDEN = json.loads((Path(__file__).parent / "golden" / "detection.json").read_text("utf-8"))

# Sides that overlap often, and never in a subnormal number.
EDGES = st.integers(0, 16).map(lambda sixteenth: sixteenth / 16)
BOXES = hnp.arrays(np.float64, st.tuples(st.integers(0, 25), st.just(4)), elements=EDGES)


def upright(boxes):
    return np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )


def plain_decode(boxes, scores, *, threshold, overlap, most, candidates):
    """The steps of edgekit/detection.py in numbers and lists, as a port would write them."""
    found = []
    for place, row in enumerate(scores):
        for kind, logit in enumerate(row):
            score = 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
            if score >= threshold:
                found.append((-score, place, kind))
    objects = []
    for negative, place, kind in sorted(found)[:candidates]:
        box = [min(1.0, max(0.0, edge)) for edge in boxes[place]]
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        if any(k == kind and plain_overlap(box, other) > overlap for other, _, k in objects):
            continue
        objects.append((box, -negative, kind))
    return objects[:most]


def plain_overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0.0, width) * max(0.0, height)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return common / (areas - common)


@pytest.mark.parametrize("case", GOLDEN["decode"], ids=lambda case: case["name"])
def test_the_golden_vectors_decode_to_what_they_say(case):
    boxes, scores = (np.array(case[key], np.float32) for key in ("boxes", "scores"))
    objects = decode(boxes.reshape(-1, 4), scores.reshape(len(boxes), -1), **case["settings"])
    assert objects.classes.tolist() == [one["class"] for one in case["objects"]]
    np.testing.assert_allclose(objects.scores, [one["score"] for one in case["objects"]], atol=1e-6)
    expected = np.array([one["box"] for one in case["objects"]]).reshape(-1, 4)
    np.testing.assert_allclose(objects.boxes, expected, atol=1e-6)


@pytest.mark.parametrize("case", GOLDEN["letterbox"], ids=lambda case: case["name"])
def test_the_golden_vectors_map_boxes_back_to_the_picture(case):
    fit = letterbox_geometry(*case["picture"], into=tuple(case["input"][::-1]))
    assert [fit.left, fit.top, fit.width, fit.height] == case["fit"]
    mapped = fit.to_picture(np.array(case["boxes"]))
    np.testing.assert_allclose(mapped, case["boxes_in_picture"], atol=1e-9)


@given(
    boxes=BOXES,
    seed=st.integers(0, 2**32 - 1),
    threshold=st.sampled_from([0.1, 0.5, 0.9]),
    overlap=st.sampled_from([0.0, 0.3, 0.6]),
    most=st.integers(1, 12),
    candidates=st.integers(1, 60),
)
def test_decode_follows_its_own_description(boxes, seed, **settings):
    random = np.random.default_rng(seed)
    # Halves: equal scores are common, as in an int8 file.
    scores = np.round(random.normal(0, 3, (len(boxes), 3)) * 2) / 2
    stretched = boxes * 1.5 - 0.25
    objects = decode(stretched, scores, **settings)
    plain = plain_decode(stretched.tolist(), scores.tolist(), **settings)
    assert objects.classes.tolist() == [kind for _, _, kind in plain]
    np.testing.assert_allclose(objects.scores, [score for _, score, _ in plain], atol=1e-6)
    np.testing.assert_allclose(
        objects.boxes, np.array([box for box, _, _ in plain]).reshape(-1, 4), atol=1e-6
    )


@given(boxes=BOXES, overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]), seed=st.integers(0, 99))
def test_suppression_keeps_no_pair_above_the_limit_and_drops_nothing_without_a_reason(
    boxes, overlap, seed
):
    boxes = upright(boxes)
    classes = np.random.default_rng(seed).integers(0, 2, len(boxes))
    kept = suppress(boxes, classes, overlap)
    overlaps = box_overlaps(boxes, boxes)
    alike = classes[:, None] == classes[None, :]
    among = (overlaps > overlap) & alike & ~np.eye(len(boxes), dtype=bool)
    assert not among[np.ix_(kept, kept)].any()
    for dropped in sorted(set(range(len(boxes))) - set(kept.tolist())):
        better = kept[kept < dropped]
        assert among[dropped, better].any()
    np.testing.assert_array_equal(suppress(boxes, classes, overlap, most=2), kept[:2])


@given(boxes=BOXES, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_places_changes_nothing_while_scores_differ(boxes, seed):
    random = np.random.default_rng(seed)
    boxes = upright(boxes)
    scores = random.permutation(2 * len(boxes)).reshape(-1, 2) / max(1, len(boxes)) - 1
    order = random.permutation(len(boxes))
    one = decode(boxes, scores, threshold=0.3)
    other = decode(boxes[order], scores[order], threshold=0.3)
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.classes, other.classes)


def test_extreme_logits_are_certain_or_impossible_without_a_warning():
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.float32)
    objects = decode(boxes, np.array([[3e38], [-3e38]], np.float32))
    assert objects.scores.tolist() == [1.0]
