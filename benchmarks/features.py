"""Write the weights by which pictures are compared: a copy of `lenet`'s for `glyphs`.

Its figures then belong to another yardstick: every `frechet` in a card is to be measured again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.loading import build_keras
from edgekit.metrics.features import WEIGHTS
from edgekit.models import resolve_model

# Layer of the model → what its kernel and its bias are called in the copy.
_LAYERS = {
    "c1": ("c1", "c1_bias"),
    "s2": ("c1_scale", "c1_shift"),
    "c3": ("c3", "c3_bias"),
    "s4": ("c3_scale", "c3_shift"),
    "c5": ("c5", "c5_bias"),
    "f6": ("f6", "f6_bias"),
}


def weights() -> dict[str, Any]:
    """The arrays, from the model's folder."""
    source = resolve_model("lenet")
    model = build_keras(source, weights=source.weights_for("glyphs"), classes=36)
    found = {"brightness": model.get_layer("brightness").get_weights()[0][0, 0]}
    for layer, names in _LAYERS.items():
        for name, array in zip(names, model.get_layer(layer).get_weights(), strict=True):
            found[name] = array[0, 0, :, 0] if name.endswith("_scale") else array
    return found


def run() -> dict[str, Any]:
    """Write them; the figures are how many and how large."""
    arrays = weights()
    np.savez_compressed(WEIGHTS, **arrays)
    return {"values": sum(a.size for a in arrays.values()), "bytes": WEIGHTS.stat().st_size}
