from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.training.objectives import objective_for
from edgekit.training.objectives.detection import (
    assign,
    class_balance,
    overlap,
    place_centres,
)
from edgekit.training.recipe import Recipe

CENTRES = place_centres(84)  # 64 × 64 pixels: 8 × 8, 4 × 4 and 2 × 2 cells


def objective(classes=2):
    return objective_for("object-detection", Recipe(), classes)


def labels(*rows, room=4):
    full = np.zeros((1, room, 5), np.float32)
    full[..., 0] = -1
    full[0, : len(rows)] = np.reshape(rows, (-1, 5))
    return full


def around(centres, half):
    return np.concatenate([centres - half, centres + half], axis=1)[None].astype(np.float32)


def test_places_are_the_cells_of_three_strides_finest_first_row_by_row():
    assert CENTRES.shape == (84, 2)
    np.testing.assert_allclose(CENTRES[[0, 1, 8, 64, 80]] * 64, [
        [4, 4], [12, 4], [4, 12], [8, 8], [16, 16],
    ])  # fmt: skip


def test_another_number_of_places_is_refused():
    with pytest.raises(ModelError, match=r"83 places: its grids of strides .* have 21 · n²"):
        place_centres(83)


def test_overlap_of_known_boxes():
    import tensorflow as tf

    one = tf.constant([[0.0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0.4, 0.4, 0.2, 0.2]])
    other = tf.constant([[0.0, 0, 1, 1], [0.5, 0, 1.5, 1], [2, 0, 3, 1], [0.0, 0, 1, 1]])
    np.testing.assert_allclose(overlap(one, other), [1, 1 / 3, 0, 0], atol=1e-6)
    # Zheng et al.: 1 is perfect; apart, the farther the lower, below 0.
    complete = overlap(one, other, complete=True).numpy()
    assert complete[0] == pytest.approx(1)
    assert complete[1] == pytest.approx(1 / 3 - 0.5**2 / (1.5**2 + 1))
    assert complete[2] < 0


def test_an_object_is_learnt_by_at_most_ten_places_in_it_and_the_best_the_most():
    objects = labels([1, 0.2, 0.2, 0.8, 0.8])
    # No two are equally good: those that are come in together.
    boxes = around(CENTRES, np.linspace(0.2, 0.3, 84)[:, None])
    wanted, shares = (
        np.asarray(a) for a in assign(boxes, np.full((1, 84, 2), 0.5, np.float32), objects, CENTRES)
    )
    weights = shares.sum(axis=2)
    chosen = np.flatnonzero(weights[0])
    assert 1 <= len(chosen) <= 10
    assert (shares[..., 0] == 0).all()
    np.testing.assert_allclose(wanted[0, chosen], np.tile(objects[0, 0, 1:], (len(chosen), 1)))
    inside = ((CENTRES > 0.2) & (CENTRES < 0.8)).all(axis=1)
    assert inside[chosen].all()
    # The best share is the best IoU among them.
    found = overlap(boxes[0, chosen], objects[0, :1, 1:]).numpy()
    assert shares.max() == pytest.approx(found.max(), abs=1e-6)
    assert found[weights[0, chosen].argmax()] == found.max()


def test_a_place_in_two_objects_learns_the_one_it_covers_better():
    objects = labels([0, 0.0, 0.0, 1.0, 1.0], [1, 0.25, 0.25, 0.75, 0.75])
    boxes = around(CENTRES, 0.25)
    _, shares = assign(boxes, np.full((1, 84, 2), 0.5, np.float32), objects, CENTRES)
    assert not ((np.asarray(shares)[0] > 0).sum(axis=1) > 1).any()
    middle = np.abs(CENTRES - 0.5).max(axis=1) < 0.1
    assert (np.asarray(shares)[0, middle, 1] > 0).all()


def test_an_object_smaller_than_a_cell_and_between_centres_is_learnt_too():
    # 2 pixels wide, at the corner where four cells meet.
    objects = labels([0, 15 / 64, 15 / 64, 17 / 64, 17 / 64])
    boxes = around(CENTRES, 4 / 64)
    _, shares = assign(boxes, np.full((1, 84, 2), 0.5, np.float32), objects, CENTRES)
    assert np.count_nonzero(np.asarray(shares)[0, :64, 0]) == 4


def test_without_objects_nothing_is_learnt_and_the_loss_is_finite():
    boxes = around(CENTRES, 0.1)
    _, shares = assign(boxes, np.full((1, 84, 2), 0.5, np.float32), labels(), CENTRES)
    assert not np.asarray(shares).any()
    logits = np.zeros((1, 84, 2), np.float32)
    assert 0 < objective().validation_loss([boxes, logits], labels()) < 1e3


def test_rows_of_padding_change_nothing():
    boxes, logits = around(CENTRES, 0.2), np.zeros((1, 84, 2), np.float32)
    row = [1, 0.3, 0.2, 0.6, 0.7]
    losses = [
        objective().validation_loss([boxes, logits], labels(row, room=room)) for room in (1, 4, 30)
    ]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-6)


def test_a_rare_class_counts_more_but_not_in_proportion():
    shares = np.zeros((2, 50, 4), np.float32)
    shares[..., 0] = 0.9  # 90 in all
    shares[0, :10, 1] = 1
    shares[0, 0, 2] = 0.1
    np.testing.assert_allclose(class_balance(shares), [1, 3, 10, 1], rtol=1e-5)
    np.testing.assert_allclose(class_balance(0 * shares), np.ones(4))


def test_right_answers_have_a_lower_loss_than_unsure_and_wrong_ones():
    objects = labels([1, 0.25, 0.25, 0.75, 0.75])
    inside = (np.abs(CENTRES - 0.5) < 0.1).all(axis=1)
    exact = np.tile(objects[:, :1, 1:], (1, 84, 1))

    def loss(boxes, kind, height):
        logits = np.full((1, 84, 2), -8, np.float32)
        logits[0, inside, kind] = height
        return objective().validation_loss([boxes, logits], objects)

    right = loss(exact, 1, 8)
    assert right < 0.1
    assert right < loss(exact, 1, -2) < loss(exact, 0, 8)
    assert right < loss(exact + np.float32(0.05), 1, 8)


def test_an_unlikely_wrong_class_is_pushed_down_at_an_objects_place_harder_than_elsewhere():
    import tensorflow as tf

    objects = labels([1, 0.25, 0.25, 0.75, 0.75])
    exact = tf.tile(tf.constant(objects[:, :1, 1:]), (1, 84, 1))
    logits = tf.fill([1, 84, 2], -2.0)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = objective().loss([exact, logits], tf.constant(objects))
    wrong = tape.gradient(loss, logits).numpy()[0, :, 0]
    inside = (np.abs(CENTRES - 0.5) < 0.1).all(axis=1)
    outside = (np.abs(CENTRES - 0.5) > 0.3).any(axis=1)
    assert wrong[inside].max() > 20 * wrong[outside].max() > 0


def test_steps_down_the_gradient_find_the_objects():
    import tensorflow as tf

    objects = np.concatenate([
        labels([0, 0.1, 0.1, 0.4, 0.5], [1, 0.6, 0.5, 0.9, 0.9]),
        labels([1, 0.3, 0.3, 0.7, 0.7]),
    ])  # fmt: skip
    boxes = tf.Variable(np.tile(around(CENTRES, 0.15), (2, 1, 1)))
    logits = tf.Variable(np.full((2, 84, 2), -4, np.float32))
    loss = objective().loss

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss([boxes, logits], tf.constant(objects))
        slopes = tape.gradient(value, [boxes, logits])
        for variable, rate, slope in zip((boxes, logits), (0.01, 0.1), slopes, strict=True):
            variable.assign_sub(rate * tf.sign(slope))
        return value

    values = [float(step()) for _ in range(80)]
    assert values[-1] < 0.5 * values[0]
    best = logits.numpy().max(axis=2).argmax(axis=1)
    found = boxes.numpy()[[0, 1], best]
    assert overlap(found[1], objects[1, 0, 1:]).numpy() > 0.8
    assert max(overlap(found[0], objects[0, row, 1:]).numpy() for row in (0, 1)) > 0.8
