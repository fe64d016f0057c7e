"""Tensors of many samples that wait for a later node: in memory up to a bound, beyond it on disk.

Knows bytes and files. Does not know what the tensors are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgekit.quantization.condition.execution import Samples


class Store:
    """Chunks of tensors by name.

    Args:
        folder: Exists; gets a file for each chunk that does not fit.
        most_bytes: Memory the chunks may take together.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._chunks: dict[tuple[str, int], Any] = {}
        self._sizes: dict[tuple[str, int], int] = {}
        self._files = 0

    @property
    def bytes(self) -> int:
        """What lies in memory."""
        return sum(self._sizes.values())

    def put(self, name: str, index: int, value: Any) -> None:
        """Keep chunk `index` of a tensor; a tensor of samples without a common shape as it is."""
        import numpy as np

        key = (name, index)
        size = 0 if isinstance(value, Samples) else int(np.asarray(value).nbytes)
        if size and self.bytes + size > self._most:
            self._files += 1
            path = self._folder / f"{self._files}.npy"
            np.save(path, np.asarray(value))
            value, size = path, 0
        self.drop_chunk(key)
        self._chunks[key], self._sizes[key] = value, size

    def get(self, name: str, index: int) -> Any:
        """Chunk `index` of a tensor, as a tensor or an array."""
        import numpy as np

        value = self._chunks[name, index]
        return np.load(value, allow_pickle=False) if isinstance(value, Path) else value

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget all tensors but these."""
        kept = set(names)
        for key in [key for key in self._chunks if key[0] not in kept]:
            self.drop_chunk(key)

    def drop_chunk(self, key: tuple[str, int]) -> None:
        value = self._chunks.pop(key, None)
        self._sizes.pop(key, None)
        if isinstance(value, Path):
            value.unlink()
