"""Which box belongs to which track, given what each pair costs. Knows numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def assign(costs: Array, limit: float) -> list[tuple[int, int]]:
    """The cheapest pairing of rows and columns (Kuhn 1955), without pairs above a limit.

    A row or column that stays alone costs as much as a pair at the limit: so a dear pair is not
    made to save another one.

    Args:
        costs: float64 [N, M], infinite where two cannot be one.
        limit: Highest cost of a pair, finite.

    Returns:
        Pairs (row, column), rows rising; no row and no column twice.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    if not costs.size:
        return []
    allowed = costs <= limit
    rows, columns = linear_sum_assignment(np.where(allowed, costs, limit))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]


def nearest(costs: Array, limit: float) -> list[tuple[int, int]]:
    """Pairs taken one by one, the cheapest first, as long as there are any below the limit.

    Args:
        costs: As `assign`.
        limit: The same.

    Returns:
        The same, cheapest first.
    """
    import numpy as np

    left = np.where(costs <= limit, costs, np.inf)
    pairs = []
    while left.size and np.isfinite(left.min()):
        row, column = (int(place) for place in np.unravel_index(left.argmin(), left.shape))
        pairs.append((row, column))
        left[row, :] = left[:, column] = np.inf
    return pairs
