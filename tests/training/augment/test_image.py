from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import ModelError
from edgekit.fields import laid_over
from edgekit.spec import InputSpec
from edgekit.training.augment import augmenter_for, read_augmentation
from edgekit.training.augment.image import ImageAugmentation
from edgekit.training.recipe import read_recipe

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BYTES = InputSpec("image", "uint8", (12, 16, 3), "HWC")
FLOATS = InputSpec("image", "float32", (12, 16, 1), "HWC", range=(-1.0, 1.0))
EACH = {
    "crop": 0.3, "aspect": 1.5, "zoom": 0.3, "shift": 0.2, "rotate": 30.0, "flip": "both",
    "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "noise": 0.1, "cutout": 0.4,
    "mixup": 0.4, "cutmix": 1.0,
}  # fmt: skip
CLASSES = 4


@cache
def traced(spec, **asked):
    import tensorflow as tf

    return tf.function(augmenter_for(ImageAugmentation(**asked), spec, CLASSES))


def batch(spec, count=9):
    values = np.random.default_rng(3).random((count, *spec.shape), np.float32)
    low, high = spec.range
    values = low + values * (high - low)
    if spec.dtype == "uint8":
        values = np.rint(values)
    return values.astype(spec.dtype), np.arange(count) % CLASSES


def augmented(spec, inputs, labels, seed=(1, 2), **asked):
    import tensorflow as tf

    made, kept = traced(spec, **asked)(tf.constant(inputs), tf.constant(labels), tf.constant(seed))
    return made.numpy(), kept.numpy()


# Few sets of settings: each is traced once.
asked_for = st.sampled_from(
    [EACH, {key: EACH[key] for key in sorted(EACH) if key not in ("mixup", "cutmix")}]
)


@settings(max_examples=20)
@given(asked=asked_for, seed=st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 10**6)))
@pytest.mark.parametrize("spec", [BYTES, FLOATS], ids=["bytes", "floats"])
def test_shape_dtype_and_range_are_kept_and_the_same_seed_gives_the_same_bytes(spec, asked, seed):
    inputs, labels = batch(spec)
    once, shares = augmented(spec, inputs, labels, seed, **asked)
    again, _ = augmented(spec, inputs, labels, seed, **asked)
    assert (once.shape, once.dtype) == (inputs.shape, inputs.dtype)
    assert once.min() >= spec.range[0]
    assert once.max() <= spec.range[1]
    assert once.tobytes() == again.tobytes()
    if {"mixup", "cutmix"} & set(asked):
        assert shares.shape == (len(labels), CLASSES)
        assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)
        assert (shares >= 0).all()
    else:
        assert np.array_equal(shares, labels)


@pytest.mark.parametrize("name", sorted(set(EACH) - {"aspect"}))
def test_each_setting_changes_pictures_and_another_step_changes_them_otherwise(name):
    inputs, labels = batch(BYTES)
    here, _ = augmented(BYTES, inputs, labels, (0, 0), **{name: EACH[name]})
    there, _ = augmented(BYTES, inputs, labels, (0, 1), **{name: EACH[name]})
    assert not np.array_equal(here, inputs)
    assert not np.array_equal(here, there)


def test_without_settings_nothing_is_touched():
    import tensorflow as tf

    inputs, labels = batch(BYTES)
    assert read_augmentation("image-classification", {}, "x") is None
    assert read_augmentation("image-classification", {"rotate": 0, "crop": 1.0}, "x") is None
    made, kept = augmenter_for(None, BYTES, 4)(tf.constant(inputs), tf.constant(labels), None)
    assert made.numpy().tobytes() == inputs.tobytes()
    assert np.array_equal(kept, labels)
    # And an affine map that moves nothing gives every byte back.
    same, _ = augmented(BYTES, inputs, labels, rotate=1e-9)
    assert np.array_equal(same, inputs)


def test_a_flip_is_the_mirrored_picture_or_the_picture():
    inputs, labels = batch(BYTES, 64)
    made, _ = augmented(BYTES, inputs, labels, flip="horizontal")
    kept = (made == inputs).all(axis=(1, 2, 3))
    mirrored = (made == inputs[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 12 < kept.sum() < 52  # 5 standard deviations around 32


def test_a_rotation_turns_a_square_picture_about_its_centre():
    from edgekit.training.augment.image import resampled

    square = np.random.default_rng(0).random((1, 9, 9, 1), np.float32)
    quarter = np.array([[[0, -1, 0], [1, 0, 0]]], np.float32)
    assert np.allclose(resampled(square, quarter).numpy()[0], np.rot90(square[0]), atol=1e-5)


def test_a_crop_shows_a_part_of_the_picture_as_large_as_asked():
    ramp = np.broadcast_to(np.linspace(0, 255, 64)[None, None, :, None], (32, 64, 64, 3))
    spec = InputSpec("image", "uint8", (64, 64, 3), "HWC")
    made, _ = augmented(spec, np.rint(ramp).astype(np.uint8), np.zeros(32, np.int64), crop=0.25)
    width = (made[:, 0, -1, 0].astype(int) - made[:, 0, 0, 0]) / 255
    assert (width > 0.48).all()
    assert (width <= 1).all()
    assert width.min() < 0.6
    assert width.max() > 0.85


def test_brightness_is_a_factor_and_contrast_keeps_the_mean():
    grey = np.full((16, 12, 16, 3), 100, np.uint8)
    labels = np.zeros(16, np.int64)
    bright, _ = augmented(BYTES, grey, labels, brightness=0.5)
    assert np.ptp(bright, axis=(1, 2, 3)).max() == 0
    assert bright.min() >= 50
    assert bright.max() <= 150
    assert np.ptp(bright) > 50
    flat, _ = augmented(BYTES, grey, labels, contrast=0.5, saturation=0.5)
    assert np.array_equal(flat, grey)


def test_cutout_makes_one_grey_square_of_the_size_asked():
    white = np.full((8, 12, 16, 3), 255, np.uint8)
    made, _ = augmented(BYTES, white, np.zeros(8, np.int64), cutout=0.5)
    assert set(np.unique(made)) == {128, 255}
    assert 0 < (made[..., 0] == 128).sum(axis=(1, 2)).max() <= 6 * 8


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_a_label_has_the_share_that_the_picture_has_of_each_class(kind):
    # Picture i is all of one brightness, so its mean says how it was mixed.
    levels = np.array([0, 80, 160, 240], np.uint8)
    inputs = np.broadcast_to(levels[:, None, None, None], (4, 12, 16, 3)).copy()
    made, shares = augmented(BYTES, inputs, np.arange(4), **{kind: 1.0})
    assert np.allclose(made.mean(axis=(1, 2, 3)), shares @ levels, atol=0.5)
    assert (shares.max(axis=1) < 1).any()


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"flop": 1}, "unknown key flop"),
        ({"flip": "sideways"}, "flip: 'sideways' is not one of"),
        ({"crop": 0}, "crop: 0 is outside 0.01…1"),
        ({"noise": "much"}, "noise: expected a number"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(table, complaint):
    with pytest.raises(ModelError, match=f"m: train.augment: {complaint}"):
        read_recipe({"augment": table}, {}, "m: train")


def test_a_data_set_has_its_own_settings_laid_over_those_of_all():
    table = {"augment": {"crop": 0.5, "flip": "both"}, "for": {"digits": {"augment": {"flip": ""}}}}
    assert read_recipe(table, {}, "m", dataset="digits").augment == ImageAugmentation(crop=0.5)
    general = read_recipe(table, {}, "m", dataset="glyphs").augment
    assert general == ImageAugmentation(crop=0.5, flip="both")


def test_a_task_without_augmentation_says_so():
    with pytest.raises(ModelError, match="no augmentation for audio-classification"):
        read_recipe({"augment": {"noise": 1}}, {}, "m", task="audio-classification")


def test_nested_tables_are_laid_over_key_by_key_and_lists_replaced():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert laid_over(base, {"a": {"c": [3]}, "e": 2}) == {
        "a": {"b": 1, "c": [3]}, "d": 1, "e": 2,
    }  # fmt: skip
    assert base["a"]["c"] == [1, 2]
