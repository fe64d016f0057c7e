"""What a person looks at after a training: curves, and samples with predictions, as PNG.

Knows history entries, arrays and matplotlib. Computes no figure of its own.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import MissingExtraError
from edgekit.files import write_atomic

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    Array = np.ndarray[Any, Any]

_COLUMNS, _ROWS = 12, 4


def draw_curves(history: Sequence[dict[str, Any]], metric_name: str, path: Path) -> None:
    """Write a PNG with the loss on the left and the metric on the right.

    Args:
        history: Entries with `epoch`, `loss`, `validation_loss`, `train`, `validation`.
        metric_name: With its unit.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(9, 3.2)
    loss, metric = figure.subplots(1, 2)
    epochs = [entry["epoch"] for entry in history]
    for axes, keys, title in (
        (loss, ("loss", "validation_loss"), "loss"),
        (metric, ("train", "validation"), metric_name),
    ):
        for key, label in zip(keys, ("training", "validation"), strict=True):
            known = [(at, entry[key]) for at, entry in zip(epochs, history, strict=True)]
            points = [point for point in known if point[1] is not None]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=label)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    write_figure(figure, path)


def draw_predictions(
    pictures: Array, labels: Array, predicted: Array, classes: Sequence[str], path: Path
) -> None:
    """Write a PNG of pictures, each under its predicted class; wrong ones in red, with the truth.

    Args:
        pictures: [N, height, width, channels], any range; shown from the lowest value of all to
            the highest. 48 of them are drawn, always the same ones.
        labels: int64 [N].
        predicted: int64 [N].
        classes: Names of the classes.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    import numpy as np

    figure = new_figure(_COLUMNS * 0.75, _ROWS * 0.95)
    grid = figure.subplots(_ROWS, _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    low, high = float(pictures.min()), float(pictures.max())
    # Any regular step might meet the same few classes again and again.
    order = np.random.Generator(np.random.Philox(key=(0, len(labels)))).permutation(len(labels))
    some = np.sort(order[: grid.size])
    for axes, index in zip(grid.flat, some, strict=False):
        label, guess = labels[index], predicted[index]
        shown = (pictures[index].astype("float32") - low) / max(high - low, 1e-6)
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
        right = label == guess
        title = classes[guess] if right else f"{classes[guess]}, not {classes[label]}"
        axes.set_title(title, fontsize=7, pad=2, color="black" if right else "red")
    write_figure(figure, path)


def draw_rows(rows: Mapping[str, Array], path: Path) -> None:
    """Write a PNG with a row of pictures for each kind, one sample below the other.

    Args:
        rows: Name → [N, height, width, 1 or 3], uint8 or floats in 0–1. The first 12 are drawn.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    import numpy as np

    figure = new_figure(_COLUMNS * 0.75, len(rows) * 0.85)
    grid = figure.subplots(len(rows), _COLUMNS, squeeze=False)
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        for axes in line:
            axes.set(xticks=[], yticks=[], frame_on=False)
        line[0].set_ylabel(name, fontsize=8)
        for axes, picture in zip(line, pictures[:_COLUMNS], strict=False):
            whole = 255.0 if picture.dtype == np.uint8 else 1.0
            axes.imshow(np.clip(picture / whole, 0, 1), cmap="gray", vmin=0, vmax=1)
    write_figure(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot: no global state, no window
    except ImportError:
        raise MissingExtraError("matplotlib", "data", "drawing training curves") from None

    return Figure(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: Path, *, colours: int = 0) -> None:
    """Write a PNG, whole or not at all; with at most so many `colours`, if asked."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    if colours:
        from PIL import Image

        with Image.open(buffer) as image:
            # The usual method gives rare colours up, such as those of a legend.
            kind = Image.Quantize.MAXCOVERAGE
            few = image.convert("RGB").quantize(colours, kind, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        few.save(buffer, format="png", optimize=True)
    write_atomic(path, buffer.getvalue())
