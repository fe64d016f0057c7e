"""Hard-swish in 8 bits: MobileNetV3-Small at 224 × 224 in TFLite, as converted and as rewritten.

keras.applications' model with random weights, its batch norms given the statistics of noise, so
that activations have the sizes of a trained model's: only speed is looked at. Each int8 file takes
turns with the fp32 file (`edgekit.pace`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from edgekit.verbs.export import ExportRequest, export

LIMIT = 0.65
ROUNDS = 3

_MAKE = """\
import sys
import keras
import numpy as np

keras.utils.set_random_seed(0)
image = keras.Input((224, 224, 3), name="image")
body = keras.applications.MobileNetV3Small(
    input_tensor=image, weights=None, classes=2, classifier_activation=None
)
chance = np.random.default_rng(0)
pictures = chance.integers(0, 256, (64, 224, 224, 3)).astype("float32")
norms = [layer for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)]
for norm in norms:
    norm.momentum = 0.0
for norm in norms:  # in order: each sees what those before it give now
    values = keras.Model(image, norm.input).predict(pictures[:16], verbose=0)
    gamma, beta, _, _ = norm.get_weights()
    axes = tuple(range(values.ndim - 1))
    norm.set_weights([gamma, beta, values.mean(axes), values.var(axes) + 1e-6])
body.save(sys.argv[1])
labels = np.arange(64) % 2
np.savez(sys.argv[2], x_train=pictures[:32], y_train=labels[:32],
         x_test=pictures[32:], y_test=labels[32:])
"""


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Time of int8 against fp32, with its interval and the delegate's pieces; with `--no-fix` too.

    Args:
        rounds: How often each pair is made and timed.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-benchmark-") as name:
        model, data = Path(name) / "v3.keras", Path(name) / "noise.npz"
        subprocess.run(
            [sys.executable, "-c", _MAKE, str(model), str(data)], check=True, capture_output=True
        )
        sides: dict[str, list[dict[str, Any]]] = {"edgekit": [], "no_fix": []}
        for number in range(rounds):
            for side, fix in (("edgekit", True), ("no_fix", False)):
                request = ExportRequest(
                    str(model),
                    targets=("tflite",),
                    precisions=("fp32", "int8"),
                    data=data,
                    calibration_samples=32,
                    evaluation_samples=32,
                    max_drop=100.0,
                    fix=fix,
                    timing=True,
                    out=Path(name) / f"{side}-{number}",
                )
                sides[side].append(export(request).timing[0].to_json())
    return {"benchmark": "swish", "limit": LIMIT, **sides}
