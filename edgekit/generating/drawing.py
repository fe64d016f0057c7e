"""Which level a model's logits give, for a number drawn beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def drawn(logits: Array, numbers: Array, temperature: float = 1.0) -> Array:
    """Levels as likely as a softmax of logits says: the inverse of their distribution.

    The same numbers give two models that nearly agree nearly always the same levels.

    Args:
        logits: [N, levels].
        numbers: [N], even in 0–1.
        temperature: Divides the logits: below 1, likely levels become likelier still.

    Returns:
        int64 [N].
    """
    import numpy as np

    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    reached = np.cumsum(shares, axis=-1)
    wanted = np.asarray(numbers)[:, None] * reached[:, -1:]
    return np.asarray(np.minimum((reached <= wanted).sum(axis=-1), logits.shape[-1] - 1))
