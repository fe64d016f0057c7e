from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import ModelError
from edgekit.spec import InputSpec
from edgekit.training.augment import read_augmentation
from edgekit.training.augment.detection import DetectionAugmentation

SIZE = 64
SPEC = InputSpec("image", "uint8", (SIZE, SIZE, 3), "HWC", resize="letterbox")
ALL = DetectionAugmentation(
    mosaic=0.5, smallest=0.6, largest=1.6, stretch=1.3, shift=True, flip="both", transpose=True
)


def scenes(seed, count=6):
    """Black pictures with rectangles, each the colour of its class, and their boxes."""
    random = np.random.default_rng(seed)
    pictures = np.zeros((count, SIZE, SIZE, 3), np.uint8)
    labels = np.zeros((count, 3, 5), np.float32)
    labels[..., 0] = -1
    for picture, rows in zip(pictures, labels, strict=True):
        for kind in range(random.integers(1, 4)):
            # In different thirds: they never hide each other.
            left, top = random.integers(2, 40), 21 * kind + random.integers(1, 4)
            right, bottom = left + random.integers(10, 22), top + random.integers(10, 17)
            picture[top:bottom, left:right, kind] = 255
            rows[kind] = [kind, *np.array([left, top, right, bottom]) / SIZE]
    return pictures, labels


def apply(augmentation, pictures, labels, seed=0):
    import tensorflow as tf

    inputs, boxes = augmentation.apply(
        tf.constant(pictures), tf.constant(labels), tf.constant([7, seed]), spec=SPEC, classes=3
    )
    return inputs.numpy(), boxes.numpy()


def test_defaults_change_no_pixel_and_no_box():
    pictures, labels = scenes(0)
    same, boxes = apply(DetectionAugmentation(), pictures, labels)
    np.testing.assert_array_equal(same, pictures)
    for mine, theirs in zip(boxes, labels, strict=True):
        expected = theirs[theirs[:, 0] >= 0]
        found = mine[mine[:, 0] >= 0]
        np.testing.assert_allclose(
            found[np.argsort(found[:, 0])], expected[np.argsort(expected[:, 0])], atol=1e-6
        )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_boxes_lie_where_the_objects_went(seed):
    pictures, labels = scenes(seed)
    changed, boxes = apply(ALL, pictures, labels, seed)
    assert changed.shape == pictures.shape
    assert changed.dtype == np.uint8
    for picture, rows in zip(changed, boxes, strict=True):
        for kind, *edges in rows[rows[:, 0] >= 0]:
            left, top, right, bottom = np.array(edges) * SIZE
            # One pixel inside its edges, a box shows nothing but its class's colour.
            inner = picture[
                int(np.ceil(top + 1)) : int(bottom - 1), int(np.ceil(left + 1)) : int(right - 1)
            ]
            if inner.size:
                assert (inner[..., int(kind)] > 200).all()
                assert (np.delete(inner, int(kind), axis=-1) < 60).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_objects_in_full_view_have_a_box(seed):
    pictures, labels = scenes(seed)
    changed, boxes = apply(replace(ALL, kept=0.01), pictures, labels, seed)
    for picture, rows in zip(changed, boxes, strict=True):
        if (rows[:, 0] >= 0).all():
            continue  # of four pictures' objects there is room for those of two
        covered = np.zeros((SIZE, SIZE), bool)
        for _, left, top, right, bottom in rows[rows[:, 0] >= 0]:
            y, x = np.mgrid[:SIZE, :SIZE] + 0.5
            covered |= (
                (x > left * SIZE - 1) & (x < right * SIZE + 1)
                & (y > top * SIZE - 1) & (y < bottom * SIZE + 1)
            )  # fmt: skip
        bright = (picture.max(axis=-1) > 200) & (picture.min(axis=-1) < 60)
        # What has no box is cut off, all but a hundredth of it.
        assert (bright & ~covered).mean() < 0.04


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_labels_stay_well_formed(seed):
    _, boxes = apply(ALL, *scenes(seed), seed)
    is_box = boxes[..., 0] >= 0
    assert boxes.shape == (6, 6, 5)
    assert (np.diff(is_box.astype(int), axis=1) <= 0).all()  # boxes first
    assert (boxes[~is_box] == [-1, 0, 0, 0, 0]).all()
    real = boxes[is_box]
    assert ((real[:, 1:] >= 0) & (real[:, 1:] <= 1)).all()
    assert (real[:, 3:] > real[:, 1:3]).all()
    assert np.isin(real[:, 0], [0, 1, 2]).all()


def test_the_same_seed_gives_the_same_batch_and_another_one_another():
    pictures, labels = scenes(1)
    one, other = (apply(ALL, pictures, labels, 3) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(one[0], apply(ALL, pictures, labels, 4)[0])


def test_a_graph_gives_what_eager_execution_gives():
    import tensorflow as tf

    pictures, labels = scenes(2)
    eager = apply(ALL, pictures, labels)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, SIZE, SIZE, 3], tf.uint8), tf.TensorSpec([None, 3, 5]),
        ],
    )  # fmt: skip
    def graph(inputs, boxes):
        return ALL.apply(inputs, boxes, tf.constant([7, 0]), spec=SPEC, classes=3)

    inputs, boxes = graph(pictures, labels)
    # Fused arithmetic may round a value the other way.
    assert np.abs(inputs.numpy().astype(int) - eager[0]).max() <= 1
    np.testing.assert_allclose(boxes, eager[1], atol=1e-5)


def test_a_mirrored_picture_has_mirrored_boxes():
    pictures, labels = scenes(3, count=30)
    mirrored, boxes = apply(DetectionAugmentation(flip="horizontal"), pictures, labels)
    turned = 0
    for before, after, rows in zip(pictures, mirrored, boxes, strict=True):
        flipped = np.array_equal(after, before[:, ::-1])
        assert flipped or np.array_equal(after, before)
        turned += flipped
        for kind, left, top, right, bottom in rows[rows[:, 0] >= 0]:
            y, x = np.nonzero(after[..., int(kind)])
            edges = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) / SIZE
            np.testing.assert_allclose([left, top, right, bottom], edges, atol=1e-5)
    assert 5 < turned < 25


def test_a_negative_shows_other_classes_in_the_same_places():
    pictures, labels = scenes(5, count=40)
    negative = DetectionAugmentation(invert=0.5, inverted=(1, 0, 2))
    changed, boxes = apply(negative, pictures, labels)
    becomes = np.array([1, 0, 2])
    inverted = 0
    for before, after, asked, rows in zip(pictures, changed, labels, boxes, strict=True):
        is_negative = np.array_equal(after, 255 - before)
        assert is_negative or np.array_equal(after, before)
        inverted += is_negative
        kinds = asked[asked[:, 0] >= 0, 0].astype(int)
        found = rows[rows[:, 0] >= 0, 0].astype(int)
        assert sorted(found) == sorted(becomes[kinds] if is_negative else kinds)
    assert 8 < inverted < 32
    with pytest.raises(ModelError, match=r"inverted = \[1, 0\]: the data set has 3 classes"):
        apply(DetectionAugmentation(invert=0.5, inverted=(1, 0)), pictures, labels)


def test_light_and_noise_leave_boxes_and_range_alone():
    pictures, labels = scenes(4)
    light = DetectionAugmentation(brightness=0.5, contrast=0.5, saturation=0.5, tint=0.3, noise=0.2)
    changed, boxes = apply(light, pictures, labels)
    assert not np.array_equal(changed, pictures)
    assert np.count_nonzero(boxes[..., 0] >= 0) == np.count_nonzero(labels[..., 0] >= 0)


def test_settings_come_from_toml_and_unknown_keys_are_named():
    table = {"mosaic": 0.5, "flip": "both", "transpose": True, "shift": True}
    read = read_augmentation("object-detection", table, "train.augment")
    assert read == DetectionAugmentation(mosaic=0.5, flip="both", transpose=True, shift=True)
    with pytest.raises(ModelError, match="mixup"):
        read_augmentation("object-detection", {"mixup": 0.2}, "train.augment")
