"""What pre-training without labels is worth where a tenth of the pictures have a label.

One small network; every picture of a pool without labels, a tenth of them with. Sides: from random
weights, and from backbones that SimCLR and MoCo made of the pool. All sides train on the same
labelled pictures with the same recipe, augmentation and number of epochs, with several seeds each;
figures are top-1 on the test split, and gains over random weights with Student's interval.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.errors import UsageError
from edgekit.estimate import student
from edgekit.models import resolve_model
from edgekit.training.pretext import METHODS
from edgekit.verbs.train import train_model

SEEDS = 8
_MODEL = "lenet"
# The same for all sides, over the model's own recipe. Fewer changes than the views of pre-training:
# what is left of a picture must still say its class.
_RECIPE = """
[train.augment]
crop = 0.6
aspect = 1.2
brightness = 0.3
contrast = 0.3
"""


@dataclass(frozen=True)
class Setting:
    """One data set: how many pictures without labels, how many with, and the epochs of both."""

    pool: int
    labelled: int
    pretrain_epochs: int
    epochs: int


SETTINGS = {
    "glyphs": Setting(pool=7200, labelled=720, pretrain_epochs=15, epochs=30),
    "sign-digits": Setting(pool=1440, labelled=140, pretrain_epochs=30, epochs=30),
}


def run(only: tuple[str, ...] = (), quick: bool = False) -> dict[str, Any]:
    """Top-1 of every side and seed, and each method's gain over random weights, seed by seed.

    `sign-digits` only where `EDGEKIT_DATA` is set.
    """
    if unknown := set(only) - set(SETTINGS):
        known = f"one of: {', '.join(SETTINGS)}"
        raise UsageError(f"--only {min(unknown)}: not measured here", hint=known)
    names = only or tuple(n for n in SETTINGS if n == "glyphs" or os.environ.get("EDGEKIT_DATA"))
    seeds = 1 if quick else SEEDS
    found: dict[str, Any] = {"benchmark": "pretrain", "model": _MODEL, "seeds": seeds}
    for name in names:
        found[name.replace("-", "_")] = _compare(name, SETTINGS[name], seeds)
    return found


def _compare(dataset: str, setting: Setting, seeds: int) -> dict[str, Any]:
    sides: dict[str, list[float]] = {"random": [], **{method: [] for method in METHODS}}
    seconds: dict[str, list[float]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        train = partial(train_model, str(_model_folder(place)), dataset=dataset)
        for seed in range(seeds):
            for side, values in sides.items():
                start = None
                if side in METHODS:
                    made = train(
                        pretrain=side,
                        train_samples=setting.pool,
                        epochs=setting.pretrain_epochs,
                        seed=seed,
                        out=place / f"{side}-{seed}-backbone",
                    ).trained
                    start = str(made.weights)
                    seconds[side].append(made.seconds)
                trained = train(
                    begin=start,
                    train_samples=setting.labelled,
                    epochs=setting.epochs,
                    seed=seed,
                    out=place / f"{side}-{seed}",
                ).trained
                assert trained.test is not None
                values.append(trained.test.value)
    figures: dict[str, Any] = {
        "pool": setting.pool,
        "labelled": setting.labelled,
        "pretrain_epochs": setting.pretrain_epochs,
        "epochs": setting.epochs,
    }
    for side, values in sides.items():
        figures[side] = _spread(values)
        if side in METHODS:
            gains = [a - b for a, b in zip(values, sides["random"], strict=True)]
            figures[side] |= {f"gain_{key}": value for key, value in _spread(gains).items()}
            if seeds > 1:
                figures[side]["gain_ci95"] = _interval(gains)
            figures[side]["seconds"] = round(statistics.mean(seconds[side]), 1)
    return figures


def _spread(values: list[float]) -> dict[str, Any]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        "mean": round(statistics.mean(values), 2),
        "deviation": round(deviation, 2),
        "each": [round(value, 2) for value in values],
    }


def _interval(gains: list[float]) -> list[float]:
    """Student's 95 % interval of the mean gain, seeds taken as drawn at random."""
    error = statistics.stdev(gains) / len(gains) ** 0.5
    spread = student(0.975, len(gains) - 1) * error
    mean = statistics.mean(gains)
    return [round(mean - spread, 2), round(mean + spread, 2)]


def _model_folder(place: Path) -> Path:
    """A copy of the model's folder whose recipe augments."""
    folder = place / _MODEL
    shutil.copytree(resolve_model(_MODEL).path, folder)
    with (folder / "model.toml").open("a", encoding="utf-8") as toml:
        toml.write(_RECIPE)
    return folder
