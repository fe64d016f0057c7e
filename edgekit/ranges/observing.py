"""Many tensors observed while a runtime runs the calibration samples, in two halves.

The second half shows what a range from the first would have missed: that is the audit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from edgekit.ranges.audit import Audit
from edgekit.ranges.limits import MINMAX, limits
from edgekit.ranges.observer import Observer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Limits = tuple[float, float]

_TOO_FAR = 0.1  # of the first half's span: beyond this a range did not hold


class Observations:
    """What was seen of some tensors.

    Args:
        samples: How many there are in all.
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self._halves: dict[Any, tuple[Observer, Observer]] = {}

    def add(self, name: Any, rows: Array, start: int) -> None:
        """Note a tensor's values.

        Args:
            name: Of the tensor; anything that can be a key.
            rows: [N, ...] of N samples.
            start: Which sample the first of them is.
        """
        first, second = self._halves.setdefault(name, (Observer(), Observer()))
        here = min(max(self.samples // 2 - start, 0), len(rows))
        if self.samples == 1:
            here = 1
        if here:
            first.add(rows[:here])
        if here < len(rows):
            second.add(rows[here:])

    def __contains__(self, name: Any) -> bool:
        return name in self._halves

    def whole(self, name: Any) -> Observer:
        """Both halves of a tensor as one."""
        both = Observer()
        for half in self._halves[name]:
            both.merge(half)
        return both

    def limits(self, method: str, exact: Collection[Any] = ()) -> dict[Any, Limits]:
        """The chosen limits of every tensor of which a value was seen.

        Args:
            method: One of `METHODS`.
            exact: Tensors whose extremes are kept whatever the method: what a model takes and
                gives. A clipped logit is a tie between classes.
        """
        found = {}
        for name in self._halves:
            whole = self.whole(name)
            if whole.seen:
                found[name] = limits(whole, MINMAX if name in exact else method)
        return found

    def audit(self, method: str, names: Iterable[Any], exact: Collection[Any] = ()) -> Audit:
        """How far the limits of some tensors can be trusted."""
        clipped, unseen, unstable, count = 0.0, 0.0, 0, 0
        for name in names:
            if name not in self._halves:
                continue
            how = MINMAX if name in exact else method
            first, second = self._halves[name]
            whole = self.whole(name)
            count += 1
            clipped += whole.share_beyond(*limits(whole, how))
            if self.samples > 1:
                unseen += second.share_beyond(*limits(first, how))
                unstable += _exceeds(first, second)
        some = max(count, 1)
        return Audit(method, count, clipped / some, unseen / some, unstable / some)


def _exceeds(first: Observer, second: Observer) -> bool:
    low, high = limits(first, MINMAX)
    under, over = limits(second, MINMAX)
    return max(low - under, over - high) > _TOO_FAR * (high - low)
