from __future__ import annotations

import numpy as np
import pytest

from edgekit.training.objectives.anchored import anchored_loss

# A box on the object, one that half fits another size, one that only touches it, and an empty one.
OBJECT = [0.0, 0.2, 0.2, 0.6, 0.6]
BEFORE = np.array(
    [[0.2, 0.2, 0.6, 0.6], [0.2, 0.2, 0.6, 0.9], [0.2, 0.2, 0.3, 0.3], [0.7, 0.7, 0.9, 0.9]],
    np.float32,
)[None]


def labels(*rows):
    import tensorflow as tf

    full = np.zeros((1, 3, 5), np.float32)
    full[..., 0] = -1
    full[0, : len(rows)] = np.reshape(rows, (-1, 5))
    return tf.constant(full)


def gradients(after, logits, wanted, **settings):
    import tensorflow as tf

    after, logits = tf.Variable(after), tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = anchored_loss(tf.constant(BEFORE), after, logits, wanted, **settings)
    found = tape.gradient(loss, [after, logits])
    return float(loss), found[0].numpy()[0], found[1].numpy()[0]


def test_boxes_that_fit_learn_class_and_place_and_empty_ones_that_nothing_is_there():
    after = BEFORE + np.float32(0.05)
    _, places, classes = gradients(after, np.zeros((1, 4, 2), np.float32), labels(OBJECT))
    assert (np.abs(places).sum(axis=1) > 0).tolist() == [True, True, False, False]
    assert (classes[:2, 0] < 0).all()  # towards its own class
    assert (classes[:2, 1] > 0).all()
    assert (classes[2:] > 0).all()


def test_an_unsure_overlap_teaches_no_class():
    box = [0.0, 0.2, 0.2, 0.6, 0.45]
    _, _, classes = gradients(
        BEFORE, np.zeros((1, 4, 1), np.float32), labels(box), fits=0.9, empty=0.2, least=1.0
    )
    assert classes[:, 0].tolist()[:2] == [0.0, 0.0]
    assert classes[3, 0] > 0


def test_an_object_that_no_box_fits_has_the_best_one():
    # As large as the box that only touches the first object, and half beside it.
    box = [0.0, 0.25, 0.25, 0.35, 0.35]
    for least, taken in ((0.0, True), (0.5, False)):
        _, _, classes = gradients(
            BEFORE, np.zeros((1, 4, 1), np.float32), labels(box), fits=0.6, least=least
        )
        assert (classes[2, 0] < 0) is np.bool_(taken)


def test_graded_boxes_learn_how_far_they_overlap_now():
    off = BEFORE.copy()
    off[0, 0] = [0.2, 0.2, 0.6, 0.4]  # an IoU of a half, whatever it began as
    logits = np.zeros((1, 4, 1), np.float32)  # a chance of a half
    _, _, hard = gradients(off, logits, labels(OBJECT))
    _, _, graded = gradients(off, logits, labels(OBJECT), graded=True)
    assert hard[0, 0] < -0.1
    assert graded[0, 0] == pytest.approx(0, abs=1e-6)


def test_with_focus_a_picture_without_objects_costs_only_what_is_thought_to_be_there():
    (sure, unsure), (plain_sure, plain_unsure) = (
        [
            gradients(BEFORE, np.full((1, 4, 1), at, np.float32), labels(), focus=focus)[0]
            for at in (4, -4)
        ]
        for focus in (2.0, 0.0)
    )
    assert sure == pytest.approx(plain_sure, rel=0.05)
    assert plain_unsure > 0.05
    assert 0 < unsure < 0.001
