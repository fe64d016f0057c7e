"""How much of one thing's box is found, and whether it is told from others."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.detection import box_overlaps
from edgekit.errors import DataError
from edgekit.metrics import judges_vectors, score

RANDOM = np.random.default_rng(4)


def test_the_overlap_of_boxes_is_that_of_detection_in_points():
    corners = RANDOM.random((50, 2, 2, 2)).astype(np.float32)
    boxes, labels = (
        np.concatenate([c.min(axis=1), c.max(axis=1)], axis=1) for c in corners.swapaxes(0, 1)
    )
    each = np.diag(box_overlaps(boxes.astype(float), labels.astype(float)))
    found = score("box_iou", [boxes], labels)
    assert found.value == pytest.approx(100 * each.mean())
    assert found.unit == "points"


def test_a_box_turned_inside_out_holds_nothing():
    label = np.array([[0.2, 0.2, 0.8, 0.8]], np.float32)
    assert score("box_iou", [label], label).value == pytest.approx(100)
    assert score("box_iou", [label[:, [2, 3, 0, 1]]], label).value == 0
    assert score("box_iou", [np.zeros((1, 4), np.float32)], label).value == 0


def _videos(apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Three videos of 40 samples, ten of them examples; what shows the target differs in each."""
    labels = np.array([[v, i < 10, i % 2] for v in range(3) for i in range(40)])
    directions = np.eye(6)[labels[:, 0]] * np.where(labels[:, 2:], apart, -apart)
    return directions + 0.1 * RANDOM.standard_normal((120, 6)), labels


def test_each_video_has_a_classifier_of_its_own_and_examples_are_not_counted():
    vectors, labels = _videos(1.0)
    found = score("fitted_top1", [vectors], labels)
    assert found.samples == 90
    assert found.value == 100
    alike, _ = _videos(0.0)
    assert score("fitted_top1", [alike], labels).value < 75


def test_a_video_with_examples_of_one_class_only_is_wrong_throughout():
    vectors, labels = _videos(1.0)
    labels[(labels[:, 0] == 0) & (labels[:, 1] > 0), 2] = 1
    assert score("fitted_top1", [vectors], labels).value == pytest.approx(100 * 60 / 90)


def test_examples_alone_have_no_figure():
    with pytest.raises(DataError, match="no sample counts"):
        score("fitted_top1", [np.ones((2, 3))], np.array([[0, 1, 0], [0, 1, 1]]))


def test_outputs_under_it_are_vectors():
    assert judges_vectors("fitted_top1")
    assert not judges_vectors("box_iou")
