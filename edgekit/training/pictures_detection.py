"""What a person looks at after a detector's training: objects drawn on pictures, and its curves.

Knows arrays and matplotlib. What counts as right is `edgekit.metrics.detection`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.detection import decode
from edgekit.metrics.detection import match, precision_at_recalls
from edgekit.training.pictures import new_figure, write_figure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_COLUMNS, _ROWS = 3, 2
_SHOWN = 0.4  # lowest score that is drawn
_OVERLAP = 0.5
# Photographs in full colour make files of megabytes; what is on them can be seen in fewer colours.
_COLOURS = 96


def draw_objects(
    pictures: Array, labels: Array, outputs: Sequence[Array], classes: Sequence[str], path: Path
) -> None:
    """Write a PNG of pictures with what is there (dotted, white) and what was found (by class).

    Args:
        pictures: [N, height, width, channels], any range. 6 of them are drawn, always the same.
        labels: [N, M, 5] rows of class, left, top, right, bottom; class −1 where there is none.
        outputs: boxes [N, A, 4] and scores [N, A, C], logits.
        classes: Names of the classes.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    import numpy as np
    from matplotlib.patches import Patch, Rectangle

    figure = new_figure(_COLUMNS * 2.6, _ROWS * 2.6 + 0.3)
    grid = figure.subplots(_ROWS, _COLUMNS, squeeze=False)
    low, high = float(pictures.min()), float(pictures.max())
    height, width = pictures.shape[1:3]
    order = np.random.Generator(np.random.Philox(key=(0, len(labels)))).permutation(len(labels))
    for axes in grid.flat:
        axes.axis("off")
    for axes, index in zip(grid.flat, np.sort(order[: grid.size]), strict=False):
        shown = (pictures[index].astype("float32") - low) / max(high - low, 1e-6)
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
        objects = decode(outputs[0][index], outputs[1][index], threshold=_SHOWN)
        rows = labels[index][labels[index][:, 0] >= 0]
        drawn = [(box, "white", 1.6, "-") for box in rows[:, 1:]]
        drawn += [(box, "black", 0.8, ":") for box in rows[:, 1:]]
        drawn += [
            (box, _colour(kind), 1.0, "-")
            for box, kind in zip(objects.boxes, objects.classes, strict=True)
        ]
        for (left, top, right, bottom), colour, thick, style in drawn:
            corner = (left * width - 0.5, top * height - 0.5)
            sides = ((right - left) * width, (bottom - top) * height)
            axes.add_patch(
                Rectangle(corner, *sides, fill=False, ec=colour, lw=thick, ls=style, snap=False)
            )
    handles = [Patch(fc=_colour(kind), label=name) for kind, name in enumerate(classes)]
    handles.append(Patch(fc="white", ec="black", ls=":", label="what is there"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7)
    write_figure(figure, path, colours=_COLOURS)


def draw_precision_recall(
    labels: Array, outputs: Sequence[Array], classes: Sequence[str], path: Path
) -> None:
    """Write a PNG with precision over recall, a curve per class, at an IoU of 0.5.

    Args:
        labels: As in `draw_objects`.
        outputs: As in `draw_objects`.
        classes: Names of the classes.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib or pycocotools is not installed.
    """
    import numpy as np

    figure = new_figure(4.6, 3.6)
    axes = figure.subplots()
    recalls = np.linspace(0.0, 1.0, 101)
    for one in match(outputs, labels, (_OVERLAP,)):
        total = float(one.objects.sum())
        precision = precision_at_recalls(one, np.ones(len(labels)), total)[0]
        label = f"{classes[one.name]}: {100 * precision.mean():.1f}, {total:,.0f} objects"
        axes.plot(recalls, precision, color=_colour(one.name), label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    axes.set_title(f"average precision at an IoU of {_OVERLAP}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
    write_figure(figure, path)


def _colour(kind: Any) -> str:
    return f"C{int(kind) % 10}"
