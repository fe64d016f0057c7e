from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edgekit.training.pictures_detection import draw_objects, draw_precision_recall


def scene(objects=True):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    labels = np.zeros((8, 3, 5), np.float32)
    labels[..., 0] = -1
    labels[:, 0] = [0, 0.25, 0.25, 0.75, 0.75]
    labels[:, 1] = [1, 0.1, 0.1, 0.3, 0.3]
    scores = np.full((8, 3, 2), -9, np.float32)
    if objects:
        scores[:, 0, 0] = scores[:, 1, 1] = 3
    return pictures, labels, [labels[..., 1:], scores]


@pytest.mark.parametrize("objects", [True, False])
def test_a_picture_shows_what_was_found_and_needs_nothing_to_be_found(tmp_path, objects):
    pictures, labels, outputs = scene(objects)
    draw_objects(pictures, labels, outputs, ("ring", "dot"), tmp_path / "predictions.png")
    draw_precision_recall(labels, outputs, ("ring", "dot"), tmp_path / "pr.png")
    for name in ("predictions.png", "pr.png"):
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 300
        assert (tmp_path / name).stat().st_size < 300_000


def test_found_objects_change_the_picture(tmp_path):
    pictures, labels, outputs = scene()
    _, _, nothing = scene(objects=False)
    for name, given in (("some", outputs), ("none", nothing)):
        draw_objects(pictures, labels, given, ("ring", "dot"), tmp_path / name)
    some, none = (
        np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("some", "none")
    )
    assert (some != none).any(axis=-1).mean() > 0.002


def test_one_channel_is_drawn_too(tmp_path):
    pictures, labels, outputs = scene()
    draw_objects(pictures[..., :1], labels, outputs, ("ring", "dot"), tmp_path / "grey.png")
    assert (tmp_path / "grey.png").is_file()


def test_every_class_keeps_its_colour_over_pictures_of_two(tmp_path):
    from matplotlib.colors import to_rgb

    coarse = np.random.default_rng(0).integers(0, 2, (6, 40, 40, 1), np.uint8) * 255
    pictures = coarse.repeat(8, 1).repeat(8, 2).repeat(3, 3)
    labels = np.zeros((6, 6, 5), np.float32)
    scores = np.full((6, 6, 6), -9, np.float32)
    for kind in range(6):
        left = 0.05 + 0.15 * kind
        labels[:, kind] = [kind, left, 0.1, left + 0.1, 0.3]
        scores[:, kind, kind] = 3
    draw_objects(pictures, labels, [labels[..., 1:], scores], tuple("abcdef"), tmp_path / "p.png")
    drawn = np.asarray(Image.open(tmp_path / "p.png").convert("RGB")).reshape(-1, 3).astype(int)
    for kind in range(6):
        away = np.abs(drawn - 255 * np.array(to_rgb(f"C{kind}"))).max(axis=1)
        assert np.count_nonzero(away < 12) > 100
