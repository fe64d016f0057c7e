"""What loops know of a model, and of who watches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# An array [N, *shape] per input, in the model's own units → one [N, ...] of real values per output.
Ask = Callable[["Sequence[np.ndarray[Any, Any]]"], "Sequence[np.ndarray[Any, Any]]"]
# Told how many steps are done, of how many.
Told = Callable[[int, int], None]


def nobody(_done: int, _total: int) -> None:
    """Tells nobody."""
