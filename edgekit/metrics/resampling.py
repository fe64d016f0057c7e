"""How often a bootstrap or a permutation test draws, and in which parts, for every metric."""

from __future__ import annotations

from collections.abc import Iterator

RESAMPLES = 1000
PERMUTATIONS = 9999
_CHUNK_CELLS = 2_000_000


def parts(rows: int, cells: int) -> Iterator[slice]:
    """`rows` in parts that fit in memory with so many cells each."""
    step = max(1, _CHUNK_CELLS // cells)
    for at in range(0, rows, step):
        yield slice(at, min(at + step, rows))
