"""Loss and metric over the epochs as a picture. Knows history entries and matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import MissingExtraError
from edgekit.files import write_atomic


def draw_curves(history: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG with the loss on the left and the metric on the right.

    Args:
        history: Entries with `epoch`, `loss`, `validation_loss`, `train`, `validation`.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot: no global state, no window
    except ImportError:
        raise MissingExtraError("matplotlib", "data", "drawing training curves") from None

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    loss, metric = figure.subplots(1, 2)
    epochs = [entry["epoch"] for entry in history]
    for axes, keys, title in (
        (loss, ("loss", "validation_loss"), "loss"),
        (metric, ("train", "validation"), "metric, points"),
    ):
        for key, label in zip(keys, ("training", "validation"), strict=True):
            axes.plot(epochs, [entry[key] for entry in history], marker=".", label=label)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomic(path, buffer.getvalue())
