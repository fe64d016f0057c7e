from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import SPLITS, open_dataset
from edgekit.datasets.gesture_motion import (
    CLASSES,
    MOST_G,
    MOST_RAD_S,
    RATE_HZ,
    SURROUNDINGS,
    People,
    body_rates,
    move,
    turns,
    uniforms_for,
)
from edgekit.datasets.gestures import TESTED, TRAINING, Gestures
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("readings", "float32", (64, 6), range=(-9.0, 9.0))
NOBODY = People(
    tempo=((1.0, 1.0),), reach=((1.0, 1.0),), grip=((0.0, 0.0),), slant=((0.0, 0.0),),
    forearm=((0.3, 0.3),), noise=(0.0, 0.0), surroundings=("resting",),
)  # fmt: skip


@pytest.fixture(scope="module")
def gestures():
    return open_dataset("gestures")


def moved(name, steps=128, people=NOBODY, samples=1, seed=0):
    """One gesture that begins after 0.2 s, of a person without quirks."""
    chance = np.random.default_rng(seed).random((samples, uniforms_for(1)))
    kinds = np.full((samples, 1), CLASSES.index(name))
    return move(kinds, chance, people, steps, (0.2, 0.2))


def test_a_sample_is_the_same_whenever_and_with_whatever_else_it_is_read(gestures):
    together = gestures.read("train", range(40), SPEC)
    alone = Gestures().read("train", [17], SPEC)
    assert together.inputs.dtype == np.float32
    assert together.inputs.shape == (40, 64, 6)
    assert np.array_equal(together.inputs[17], alone.inputs[0])
    assert together.labels[17] == alone.labels[0] == 7


def test_every_split_has_samples_of_its_own(gestures):
    first = [gestures.read(split, range(20), SPEC).inputs for split in SPLITS]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not (first[one] == first[other]).all(axis=(1, 2)).any()


def test_any_run_of_samples_is_balanced_over_the_classes(gestures):
    chosen = gestures.choose("test", 720)
    labels = gestures.read("test", chosen, SPEC).labels
    assert np.bincount(labels).tolist() == [72] * len(CLASSES)
    assert np.array_equal(labels, gestures.labels("test")[:720])


@pytest.mark.parametrize("trait", ["tempo", "reach", "grip", "slant", "forearm"])
def test_nobody_of_the_test_split_is_like_anybody_in_the_training(trait):
    for low, high in getattr(TESTED, trait):
        for known_low, known_high in getattr(TRAINING, trait):
            assert high <= known_low or low >= known_high


def test_surroundings_and_noise_of_the_test_split_are_never_trained_on():
    assert not set(TRAINING.surroundings) & set(TESTED.surroundings)
    assert set(SURROUNDINGS) == set(TRAINING.surroundings) | set(TESTED.surroundings)
    assert TESTED.noise[0] >= TRAINING.noise[1]


def test_sensors_end_where_real_ones_do(gestures):
    values, _ = gestures.sense("test", range(500))
    assert np.abs(values[..., :3]).max() == MOST_G
    assert np.abs(values[..., 3:]).max() == MOST_RAD_S


def test_a_gyroscope_measures_how_the_axes_of_the_device_turn():
    time = np.linspace(0, 1, 2001)[:, None]
    angles = np.sin(time * [3.0, 4.0, 5.0] + [0.1, 0.7, 1.9])
    rates = np.cos(time * [3.0, 4.0, 5.0] + [0.1, 0.7, 1.9]) * [3.0, 4.0, 5.0]
    turned = turns(angles)
    # Of the rotation from one instant to the next, as the device sees it, the skew part.
    step = np.einsum("tij,tik->tjk", turned[:-1], turned[1:])
    step = (step - step.transpose(0, 2, 1)) / (2 * (time[1] - time[0]))
    skew = np.stack([step[:, 2, 1], step[:, 0, 2], step[:, 1, 0]], axis=-1)
    middle = (body_rates(angles, rates)[1:] + body_rates(angles, rates)[:-1]) / 2
    np.testing.assert_allclose(skew, middle, atol=1e-4)


def test_at_rest_the_accelerometer_feels_one_g_upwards_however_the_device_sits():
    chance = np.random.default_rng(3).random((50, uniforms_for(1)))
    chance[:, 16 + 2] = 0.0  # of those who do nothing, the ones who don't move at all
    people = People(
        **{**{f: getattr(NOBODY, f) for f in NOBODY.__slots__}, "grip": ((60.0, 90.0),)}
    )
    motion = move(np.zeros((50, 1), int), chance, people, 64, (0.2, 0.2))
    felt = motion.readings[..., :3]
    np.testing.assert_allclose(np.linalg.norm(felt, axis=-1), 1.0, atol=1e-9)
    up = np.einsum("ntij,ntj->nti", motion.turned, felt)
    np.testing.assert_allclose(up, np.broadcast_to([0.0, 0.0, 1.0], up.shape), atol=1e-9)


@pytest.mark.parametrize(("name", "axis", "way"), [
    ("swipe-right", 0, 1), ("swipe-left", 0, -1), ("swipe-up", 2, 1), ("swipe-down", 2, -1),
])  # fmt: skip
def test_the_readings_of_a_swipe_tell_where_the_hand_went(name, axis, way):
    motion = moved(name)
    felt = np.einsum("tij,tj->ti", motion.turned[0], motion.readings[0, :, :3])
    accelerated = (felt - [0.0, 0.0, 1.0]) * 9.81
    place = np.cumsum(np.cumsum(accelerated, axis=0), axis=0) / RATE_HZ**2
    during = np.flatnonzero(motion.active[0])
    assert 0.25 < way * place[during[-1], axis] < 0.4
    others = np.delete(place[: during[-1]], axis, axis=1)
    assert np.abs(others).max() < 0.01


def test_the_class_under_way_is_told_from_begin_to_end():
    active = moved("zigzag").active[0]
    during = np.flatnonzero(active)
    assert set(active[during]) == {CLASSES.index("zigzag")}
    assert during[0] == pytest.approx(0.2 * RATE_HZ, abs=1)
    assert np.array_equal(during, np.arange(during[0], during[-1] + 1))
    assert 0.75 <= len(during) / RATE_HZ <= 0.97


def test_kinds_of_gestures_are_told_apart_by_what_they_do():
    def strongest(name, channels):
        return np.abs(moved(name, samples=30).readings[..., channels]).max(axis=(1, 2)).mean()

    gyroscope = slice(3, 6)
    assert strongest("twist", gyroscope) > 2 * strongest("double-tap", gyroscope)
    assert strongest("double-tap", slice(2, 3)) > 1.5 * strongest("twist", slice(2, 3))
    assert strongest("nothing", gyroscope) < strongest("swipe-left", gyroscope)


@pytest.mark.parametrize(("shape", "dtype"), [((64, 3), "float32"), ((64, 6), "uint8")])
def test_an_input_that_takes_no_readings_is_refused_with_what_would_fit(gestures, shape, dtype):
    with pytest.raises(DataError, match="not 64 readings of 6 sensors") as caught:
        gestures.read("train", [0], InputSpec("image", dtype, shape))
    assert "shape = [64, 6]" in caught.value.hint


def test_an_index_beyond_the_split_is_refused(gestures):
    with pytest.raises(DataError, match="test has no sample 10000; it has 10,000"):
        gestures.read("test", [10_000], SPEC)


def test_a_stream_names_the_gesture_under_way_at_every_step():
    streams = open_dataset("gesture-streams")
    spec = InputSpec("readings", "float32", (128, 6), range=(-9.0, 9.0))
    samples = streams.read("train", range(300), spec)
    assert samples.labels.shape == (300, *streams.label_shape_for(spec))
    assert samples.labels.dtype == streams.label_dtype
    assert set(np.unique(samples.labels)) == set(range(len(CLASSES)))
    starts = (np.diff(samples.labels, axis=1) != 0) & (samples.labels[:, 1:] != 0)
    assert 1.0 < starts.sum(axis=1).mean() < 3.0
    assert 0.3 < (samples.labels == 0).mean() < 0.7
    alone = streams.read("train", [17], spec)
    assert np.array_equal(alone.inputs[0], samples.inputs[17])
    assert np.array_equal(alone.labels[0], samples.labels[17])


def test_gestures_of_a_stream_follow_one_another_without_a_jump_of_the_hand():
    chance = np.random.default_rng(5).random((40, uniforms_for(3)))
    kinds = np.full((40, 3), CLASSES.index("swipe-right"))
    motion = move(kinds, chance, NOBODY, 192, (0.2, 0.2))
    # Minimum-jerk strokes of 32 cm in 0.4 s take 1.2 g at most; a jump would take far more.
    felt = np.linalg.norm(motion.readings[..., :3], axis=-1)
    assert felt.max() < 3.0
    assert (np.diff(motion.active, axis=1) > 0).sum(axis=1).min() >= 2


def test_fingerprint_is_the_same_in_every_process_and_changes_with_the_version(monkeypatch):
    before = open_dataset("gestures").fingerprint()
    assert before == Gestures().fingerprint()
    monkeypatch.setattr("edgekit.datasets.gestures.VERSION", 99)
    assert Gestures().fingerprint() != before
