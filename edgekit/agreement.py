"""How far two outputs of one model file agree: bit for bit, within a step, or not.

Two runtimes, delegates or machines ran the same file on the same samples; here are their outputs.
Integers are compared in steps of their grid, floats that were made of integers likewise, other
floats by value; and whether that is within given limits. Knows arrays. Does not know what was run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

EXACT = "bit-exact"
ONE_STEP = "±1 step"
DIFFERENT = "different"
CLASSES = (EXACT, ONE_STEP, DIFFERENT)

# Values on a grid of floats are this near to a whole number of steps apart.
_OFF_GRID = 0.05


@dataclass(frozen=True, slots=True)
class Agreement:
    """One output of two runs.

    Attributes:
        kind: One of `CLASSES`: "bit-exact" if every value is the same (a zero's sign apart, and NaN
            the same as NaN), "±1 step" if all lie within a step of the output's grid.
        values: How many were compared.
        differing: How many differ.
        max_steps: Largest difference in steps of the grid; None where the output has none, and
            where a value is NaN or infinite on one side only.
        max_abs: Largest difference in the output's own unit: integers for integers. None where a
            value is NaN or infinite on one side only.
        worst_sample: Index of the sample that differs most; None where none does.
        differing_samples: In how many samples any value differs.
    """

    kind: str
    values: int
    differing: int
    max_steps: int | None
    max_abs: float | None
    worst_sample: int | None = None
    differing_samples: int = 0

    @property
    def share(self) -> float:
        """Share of the values that differ, in 0–1."""
        return self.differing / self.values if self.values else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "share": self.share}


@dataclass(frozen=True, slots=True)
class Limits:
    """How far two runs of one file may be apart.

    Attributes:
        exact: Every value must be the same.
        max_steps: Of outputs that lie on a grid, the most steps of it.
        max_abs: Of outputs that lie on none, or that no `max_steps` is given for, the largest
            difference in the output's own unit.
    """

    exact: bool = False
    max_steps: int | None = None
    max_abs: float | None = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self.exact or self.max_steps is not None or self.max_abs is not None

    def broken_by(self, found: Agreement) -> str | None:
        """What breaks a limit, in words; None where none is broken.

        An output that is not bit-exact and that no limit applies to breaks them, too.
        """
        if found.kind == EXACT or not self.given:
            return None
        if found.max_abs is None:
            return "NaN or infinite on one side only"
        apart = f"{found.max_abs:.3g}"
        if found.max_steps is not None:
            apart = f"{found.max_steps:,} step{'s' if found.max_steps > 1 else ''}"
        if self.exact:
            return f"{apart} apart; bit-exact is required"
        if self.max_steps is not None and found.max_steps is not None:
            return None if found.max_steps <= self.max_steps else f"{apart}, over {self.max_steps}"
        if self.max_abs is None:
            return f"{apart} apart, on no grid of steps; no limit is given for its values"
        apart = f"{found.max_abs:.3g}"
        return None if found.max_abs <= self.max_abs else f"{apart}, over {self.max_abs:g}"


def agreement(mine: Array, reference: Array, *, step: float | None = None) -> Agreement:
    """Compare one output of two runs.

    Args:
        mine: [N, ...], as the runtime gave it: integers are not dequantized.
        reference: The same of the run it is compared with.
        step: For floats: distance of two neighbours on the grid they lie on, if they lie on one.

    Raises:
        DataError: The two differ in shape or dtype.
    """
    import numpy as np

    if mine.shape != reference.shape or mine.dtype != reference.dtype:
        raise DataError(
            f"outputs are {mine.dtype.name} {list(mine.shape)}, "
            f"the reference's {reference.dtype.name} {list(reference.shape)}"
        )
    floats = mine.dtype.kind == "f"
    same = mine == reference
    if floats:
        same |= np.isnan(mine) & np.isnan(reference)
    if same.all():
        return Agreement(EXACT, mine.size, 0, 0 if step is not None or not floats else None, 0.0)
    by_sample = (~same).reshape(len(same), -1).any(axis=1)
    differing, samples = int((~same).sum()), int(by_sample.sum())
    distance = _distance(mine, reference, same)
    worst = int(distance.reshape(len(same), -1).max(axis=1).argmax())
    if not np.isfinite(distance).all():
        return Agreement(DIFFERENT, mine.size, differing, None, None, worst, samples)
    largest = float(distance.max())
    steps = _steps(distance, step) if floats else int(largest)
    kind = ONE_STEP if steps is not None and steps <= 1 else DIFFERENT
    return Agreement(kind, mine.size, differing, steps, largest, worst, samples)


def overall(found: Sequence[Agreement]) -> Agreement:
    """Several outputs of the same samples as one: the worst class, the largest differences.

    Raises:
        ValueError: There is none.
    """
    if not found:
        raise ValueError("no output was compared")
    worst = max(found, key=_badness)
    steps = [one.max_steps for one in found]
    sizes = [one.max_abs for one in found]
    return Agreement(
        kind=worst.kind,
        values=sum(one.values for one in found),
        differing=sum(one.differing for one in found),
        max_steps=None if None in steps else max(one for one in steps if one is not None),
        max_abs=None if None in sizes else max(one for one in sizes if one is not None),
        worst_sample=worst.worst_sample,
        differing_samples=max(one.differing_samples for one in found),
    )


def _badness(one: Agreement) -> tuple[int, float]:
    return CLASSES.index(one.kind), float("inf") if one.max_abs is None else one.max_abs


def _distance(mine: Array, reference: Array, same: Array) -> Array:
    """|mine − reference| as float64; infinite where only one of the two is a number."""
    import numpy as np

    if mine.dtype.kind != "f":
        # Wide integers differ by more than they hold, and bools cannot be subtracted.
        kind = object if mine.dtype.itemsize == 8 else np.int64
        whole = np.abs(mine.astype(kind) - reference.astype(kind))
        return np.asarray(whole, np.float64)
    distance = np.zeros(mine.shape, np.float64)
    left, right = (array[~same].astype(np.float64) for array in (mine, reference))
    with np.errstate(invalid="ignore"):
        apart = np.abs(left - right)
    distance[~same] = np.where(np.isfinite(left) & np.isfinite(right), apart, np.inf)
    return distance


def _steps(distance: Array, step: float | None) -> int | None:
    """The largest distance in whole steps; None where distances are no whole steps."""
    import numpy as np

    if step is None:
        return None
    counted = distance / step
    whole = np.rint(counted)
    # float32 holds a value to a part in 2^24: far from zero the grid is a little off.
    if (np.abs(counted - whole) > _OFF_GRID).any():
        return None
    return int(whole.max())
