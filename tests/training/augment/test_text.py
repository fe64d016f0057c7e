from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import ModelError
from edgekit.spec import InputSpec
from edgekit.training.augment import augmenter_for, read_augmentation
from edgekit.training.augment.text import TextAugmentation

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SPEC = InputSpec("tokens", "int32", (20,), "tokens", range=(0, 999), tokenizer="bytes")
BOTH = {"unknown": 0.3, "delete": 0.3}


@cache
def traced(**asked):
    import tensorflow as tf

    return tf.function(augmenter_for(TextAugmentation(**asked), SPEC, 5))


def augmented(tokens, seed, **asked):
    import tensorflow as tf

    labels = tf.constant(np.arange(len(tokens)) % 5)
    made, kept = traced(**asked)(tf.constant(tokens), labels, tf.constant(seed))
    assert (kept.numpy() == labels.numpy()).all()
    return made.numpy()


def texts(count=64):
    """Tokens 2, 3, 4 … of texts of 0 to 20 tokens."""
    lengths = np.arange(count) % 21
    places = np.arange(20)[None]
    return np.where(places < lengths[:, None], places + 2, 0).astype(np.int32)


@settings(max_examples=30)
@given(seed=st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 10**6)))
def test_tokens_keep_their_order_some_are_unknown_some_missing_and_one_stays(seed):
    tokens = texts()
    made = augmented(tokens, seed, **BOTH)
    assert (made == augmented(tokens, seed, **BOTH)).all()
    for before, after in zip(tokens, made, strict=True):
        length = int((after > 0).sum())
        assert not after[length:].any()
        assert min(1, before.any()) <= length <= (before > 0).sum()
        known = after[after > 1]
        assert (np.diff(known) > 0).all()
        assert set(known) <= set(before)


def test_about_as_many_tokens_change_as_was_asked_for():
    tokens = np.full((500, 20), 7, np.int32)
    unknown = augmented(tokens, (1, 2), unknown=0.25)
    assert 0.22 < (unknown == 1).mean() < 0.28
    assert set(np.unique(unknown)) == {1, 7}
    shorter = augmented(tokens, (1, 2), delete=0.25)
    assert 0.22 < (shorter == 0).mean() < 0.28
    assert (augmented(tokens, (1, 3), unknown=0.25) != unknown).any()


def test_settings_are_read_and_bounded():
    read = read_augmentation("text-classification", {"unknown": 0.2}, "train.augment")
    assert read == TextAugmentation(unknown=0.2)
    assert read_augmentation("text-classification", {"delete": 0.0}, "train.augment") is None
    for bad in ({"unknown": 1.5}, {"flip": "both"}):
        with pytest.raises(ModelError):
            read_augmentation("text-classification", bad, "train.augment")
