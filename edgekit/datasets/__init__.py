"""Where samples come from: a registered generator, a folder of images, or an `.npz` file.

`base` says what a data set is, `opening` finds one, `drawing` puts samples on disk. Importing this
costs no numpy.
"""

from edgekit.datasets.base import (
    SPLITS,
    Dataset,
    Issue,
    Samples,
    require_classes,
    require_inputs,
    require_scores,
    require_split,
    require_world,
)
from edgekit.datasets.drawing import Drawn, draw
from edgekit.datasets.opening import open_dataset

__all__ = [
    "SPLITS",
    "Dataset",
    "Drawn",
    "Issue",
    "Samples",
    "draw",
    "open_dataset",
    "require_classes",
    "require_inputs",
    "require_scores",
    "require_split",
    "require_world",
]
