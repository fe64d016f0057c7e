"""What is drawn stays what it was, or its version is raised: caches belong to one version."""

from __future__ import annotations

import pytest

from edgekit.datasets import SPLITS, open_dataset
from edgekit.models import resolve_model

# Data set: a model that takes it; mean and spread of the first input of six samples of each split.
KNOWN = {
    "formant-words": (
        "keyword-spotting",
        (0.0001004, 0.07875, 3.933e-05, 0.09932, 3.956e-05, 0.05608),
    ),
    "gesture-streams": ("rnn-tagger", (0.03908, 1.301, 0.1156, 1.188, 0.1028, 1.017)),
    "gestures": ("bidirectional", (0.1428, 1.033, 0.1171, 0.9783, 0.1495, 1.339)),
    "glyph-candidates": ("mdnet", (108.9, 29.02, 86.38, 45.01, 87.5, 44.47)),
    "glyph-clips": ("conv3d", (156.4, 52.92, 112, 57.18, 104.7, 49.47)),
    "glyph-denoising": ("denoising-autoencoder", (91.75, 64.7, 127.3, 71.68, 129.1, 61.22)),
    "glyph-detections": ("rolo", (0.4408, 0.2974, 0.3749, 0.2785, 0.281, 0.2891)),
    "glyph-diffusion": ("ddpm", (-0.4762, 0.8459, -0.4903, 0.8299, -0.4887, 0.8402)),
    "glyph-latents": ("dcgan", (0.03646, 1.035, 0.07519, 1.059, 0.03837, 0.9725)),
    "glyph-levels": ("pixelcnn", (0.2083, 0.6853, 0.3177, 0.8558, 0.1758, 0.6105)),
    "glyph-masks": ("deconvolutional-network", (90.1, 55.79, 127.4, 65.75, 129.2, 49.54)),
    "glyph-pairs": ("goturn", (107.8, 39.32, 89.15, 55.27, 102.3, 73.49)),
    "glyph-pictures": ("autoencoder", (90.1, 55.79, 127.4, 65.75, 129.2, 49.54)),
    "glyph-printing": ("cyclegan", (20.34, 63.62, 27.71, 74.14, 18.78, 60.64)),
    "glyph-scenes": ("rcnn", (125.5, 50.06, 118.5, 55.93, 98.97, 55.44)),
    "glyph-strings": ("picture-reader", (167.3, 60.51, 143.9, 53.67, 111.6, 53.43)),
    "glyphs": ("alexnet", (90.1, 55.79, 127.4, 65.75, 129.2, 49.54)),
    "tones": ("wavenet", (127.5, 78.47, 127.4, 81.81, 127.7, 66.51)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_change_of_what_is_drawn_raises_the_version(name):
    model, known = KNOWN[name]
    dataset, spec = open_dataset(name), resolve_model(model).spec.inputs[0]
    found = []
    for split in SPLITS:
        values = dataset.read(split, dataset.choose(split, 6), spec).inputs.astype(float)
        found += [values.mean(), values.std()]
    # Caches and checkpoints of old samples would otherwise be taken for those of new ones.
    assert found == pytest.approx(known, rel=1e-3, abs=1e-4), "raise VERSION"
