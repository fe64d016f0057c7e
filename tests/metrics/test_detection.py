from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgekit.detection import decode
from edgekit.metrics import score
from edgekit.metrics.base import MetricValue
from edgekit.metrics.detection import COCO_OVERLAPS, average_precision, match

CLASSES = 3


def scene(seed, pictures=40, places=60, skill=0.03):
    """Objects, and detections near most of them: outputs of a detector, and labels."""
    random = np.random.default_rng(seed)
    labels = np.zeros((pictures, 6, 5), np.float32)
    labels[..., 0] = random.integers(-1, CLASSES, labels.shape[:2])
    middles = random.uniform(0.2, 0.8, (pictures, 6, 2))
    halves = random.uniform(0.05, 0.15, (pictures, 6, 2))
    labels[..., 1:3], labels[..., 3:5] = middles - halves, middles + halves
    boxes = np.zeros((pictures, places, 4), np.float32)
    scores = random.normal(-5, 2, (pictures, places, CLASSES)).astype(np.float32)
    sources = random.integers(0, 6, (pictures, places))
    for picture in range(pictures):
        near = labels[picture, sources[picture]]
        boxes[picture] = near[:, 1:] + random.normal(0, skill, (places, 4))
        for place, row in enumerate(near):
            if row[0] >= 0:
                scores[picture, place, int(row[0])] += random.normal(4, 2)
    return [boxes, scores], labels


def perfect(labels):
    boxes = labels[..., 1:]
    scores = np.where(labels[..., :1] == np.arange(CLASSES), 5.0, -20.0).astype(np.float32)
    return [boxes, scores]


def cocos_own(outputs, labels, overlaps):
    """Precision by COCO's own program from beginning to end: [T, R, K, A, M]; −1 is unknown."""

    def annotations(rows):
        for number, (picture, kind, box, chance) in enumerate(rows, start=1):
            left, top, right, bottom = np.asarray(box, np.float64) * 1000
            bbox = [left, top, right - left, bottom - top]
            area = bbox[2] * bbox[3]
            yield {
                "id": number, "image_id": picture, "category_id": int(kind), "bbox": bbox,
                "area": area, "iscrowd": 0, "score": float(chance),
            }  # fmt: skip

    truth = [
        (p, row[0], row[1:], 1) for p, rows in enumerate(labels) for row in rows if row[0] >= 0
    ]
    guesses = []
    for picture, (boxes, scores) in enumerate(zip(*outputs, strict=True)):
        found = decode(boxes, scores, threshold=0.005, most=100)
        guesses += [
            (picture, kind, box, score)
            for kind, box, score in zip(found.classes, found.boxes, found.scores, strict=True)
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for rows in (truth, guesses):
            side = COCO()
            side.dataset = {
                "images": [{"id": picture} for picture in range(len(labels))],
                "categories": [{"id": kind} for kind in range(CLASSES)],
                "annotations": list(annotations(rows)),
            }
            side.createIndex()
            sides.append(side)
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.params.iouThrs = np.array(overlaps)
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, :1]  # of boxes of any size


@pytest.mark.parametrize("overlaps", [(0.5,), COCO_OVERLAPS])
def test_the_figure_is_the_one_of_cocos_own_evaluation(overlaps):
    outputs, labels = scene(0)
    labels[:, :, 0][labels[:, :, 0] == 2] = -1  # a class without an object does not count
    precision = cocos_own(outputs, labels, overlaps)
    assert (precision[:, :, 2] == -1).all()
    expected = precision[precision > -1].mean()
    assert 0.2 < expected < 0.95
    figure = average_precision(match(outputs, labels, overlaps), np.ones((1, len(labels))))
    assert figure[0] == pytest.approx(expected, abs=1e-12)


def test_a_picture_counted_twice_is_that_picture_twice_in_the_data():
    outputs, labels = scene(1, pictures=12)
    weights = np.array([0, 2, 1, 1, 0, 3, 1, 0, 1, 1, 1, 1])
    weighted = average_precision(match(outputs, labels, (0.5, 0.75)), weights[None])
    rows = np.repeat(np.arange(12), weights)
    repeated = match([a[rows] for a in outputs], labels[rows], (0.5, 0.75))
    assert weighted[0] == pytest.approx(
        average_precision(repeated, np.ones((1, len(rows))))[0], abs=1e-12
    )


def test_perfect_detections_have_100_points_and_none_have_0():
    _, labels = scene(2)
    assert score("map", perfect(labels), labels).value == pytest.approx(100)
    boxes, scores = perfect(labels)
    nothing = score("map50", [boxes, np.full_like(scores, -20)], labels)
    assert (nothing.value, nothing.ci95) == (0.0, (0.0, 0.0))


def test_objects_chosen_by_the_model_itself_count_alike():
    outputs, labels = scene(8)
    chosen = [decode(b, s, threshold=0.005, most=100) for b, s in zip(*outputs, strict=True)]
    rows = [np.zeros((40, 100, 4), np.float32), *np.zeros((2, 40, 100), np.float32)]
    for picture, objects in enumerate(chosen):
        for array, found in zip(
            rows, (objects.boxes, objects.scores, objects.classes), strict=True
        ):
            array[picture, : len(objects)] = found
    assert score("map", rows, labels) == score("map", outputs, labels)


def test_stricter_limits_of_overlap_give_no_higher_figure():
    outputs, labels = scene(3)
    assert score("map", outputs, labels).value < score("map50", outputs, labels).value - 5


def test_the_interval_holds_the_value_and_the_same_call_gives_the_same_interval():
    outputs, labels = scene(4)
    one = score("map50", outputs, labels)
    assert one == score("map50", outputs, labels)
    assert one.ci95[0] < one.value < one.ci95[1]
    assert 3 < one.ci95[1] - one.ci95[0] < 30
    assert MetricValue.from_json(one.to_json()).samples == 40


def test_more_pictures_make_a_narrower_interval():
    few, many = (score("map50", *scene(5, pictures=count)) for count in (30, 270))
    widths = [value.ci95[1] - value.ci95[0] for value in (few, many)]
    assert widths[1] < 0.6 * widths[0]


def test_a_drop_is_paired():
    outputs, labels = scene(6)
    same = score("map50", outputs, labels, outputs)
    assert same.drop == 0.0
    assert same.drop_ci95[0] < 0 < same.drop_ci95[1]
    boxes, scores = outputs
    rounded = [np.round(boxes * 64) / 64, np.round(scores * 2) / 2]
    near = score("map50", rounded, labels, outputs)
    assert near.reference == same.value
    assert near.drop == pytest.approx(near.reference - near.value)
    width = near.drop_ci95[1] - near.drop_ci95[0]
    assert 0 < width < 0.5 * (near.ci95[1] - near.ci95[0])


def test_measuring_prints_nothing_and_reaches_no_plotting(capfd):
    outputs, labels = scene(7, pictures=3)
    score("map50", outputs, labels)
    assert capfd.readouterr() == ("", "")
    code = (
        "import sys; import pycocotools.cocoeval; "
        "print([n for n in sys.modules if n.startswith('matplotlib')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
