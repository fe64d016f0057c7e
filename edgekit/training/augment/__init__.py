"""Changes a training makes to its samples, one file a task; validation and test never see them.

`base` says what an augmentation is; `read_augmentation` reads `[train.augment]` for a task, and
`augmenter_for` makes the function that a feed calls for every batch.
"""

from edgekit.training.augment.base import (
    Augmentation,
    Augmenter,
    augmenter_for,
    read_augmentation,
)

__all__ = ["Augmentation", "Augmenter", "augmenter_for", "read_augmentation"]
