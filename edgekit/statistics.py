"""Intervals for the figures edgekit prints. numpy only; every function names its source."""

from __future__ import annotations

import math
from collections.abc import Sequence

Z95 = 1.959963984540054


def wilson(successes: int, samples: int, z: float = Z95) -> tuple[float, float]:
    """95 % interval of a proportion, in 0–1 (Wilson 1927, doi:10.2307/2276774).

    Raises:
        ValueError: No samples, or more successes than samples.
    """
    if not 0 <= successes <= samples or samples == 0:
        raise ValueError(f"{successes} of {samples} is not a proportion")
    p = successes / samples
    centre = p + z * z / (2 * samples)
    spread = z * math.sqrt(p * (1 - p) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    # At 0 and n the bound is exact; rounding must not push it past.
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == samples else (centre + spread) / scale
    return max(0.0, low), min(1.0, high)


def paired_difference(
    only_first: int, only_second: int, samples: int, z: float = Z95
) -> tuple[float, float]:
    """95 % interval of p1 − p2 for two classifiers on the same samples, in −1…1.

    Bonett and Price 2012 (doi:10.3102/1076998611411915): the Wald interval of the discordant
    pairs with one pseudo-observation in each cell, which covers well at small counts.

    Args:
        only_first: Samples that only the first got right.
        only_second: Samples that only the second got right.
        samples: All samples.
        z: Quantile of the normal distribution; 95 % by default.
    """
    if samples < 1 or only_first < 0 or only_second < 0 or only_first + only_second > samples:
        raise ValueError(f"{only_first} + {only_second} of {samples} are not discordant pairs")
    n = samples + 2
    first, second = (only_first + 1) / n, (only_second + 1) / n
    spread = z * math.sqrt(max(0.0, (first + second - (first - second) ** 2) / n))
    difference = first - second
    return max(-1.0, difference - spread), min(1.0, difference + spread)


def mcnemar(lost: int, won: int) -> float:
    """Exact two-sided p of McNemar's test (1947, doi:10.1007/BF02295996), by the binomial.

    Args:
        lost: Samples that only the first of two classifiers got right.
        won: Samples that only the second got right.

    Raises:
        ValueError: A count below 0.
    """
    if lost < 0 or won < 0:
        raise ValueError(f"{lost} and {won} are not counts")
    pairs = lost + won
    # Python's whole numbers: exact for any count, where 0.5**n would be 0.
    tail = sum(math.comb(pairs, k) for k in range(min(lost, won) + 1))
    return min(1.0, 2 * tail / 2**pairs) if pairs else 1.0


def median(values: Sequence[float]) -> float:
    """The middle value; the mean of the two middle ones for an even count."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Distribution-free interval of the median from order statistics.

    Conover, Practical Nonparametric Statistics, 3.2. The values must be independent: hand in one
    per process, not one per call (calls in one process are strongly correlated). With fewer than
    six values no such interval reaches 95 %; the range is returned, which then covers less.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        raise ValueError("no values")
    tail = (1 - confidence) / 2
    cumulative, rank = 0.0, 0
    for k in range(n // 2 + 1):
        cumulative += math.comb(n, k) * 0.5**n
        if cumulative > tail:
            break
        rank = k + 1
    if rank == 0:
        return ordered[0], ordered[-1]
    return ordered[rank - 1], ordered[n - rank]


def quantile(values: Sequence[float], q: float) -> float:
    """Linear-interpolated quantile (Hyndman and Fan 1996, type 7, numpy's default)."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    position = (len(ordered) - 1) * q
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
