"""What survives a kill: everything a training needs to go on after its last finished epoch.

One `.npz` without pickles, written whole or not at all. Knows arrays and JSON. Does not know Keras.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError, FileError
from edgekit.files import write_atomic

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise when the meaning of a stored field changes. 1: the first.
_FORMAT = 1


@dataclass(slots=True)
class TrainingState:
    """A training between two epochs.

    Attributes:
        identity: What was being trained, how and on what; another training may not go on from it.
        epoch: Epochs finished.
        history: One entry per finished epoch.
        arrays: Groups of arrays by name: "variables", "optimizer", "average", "best".
    """

    identity: dict[str, Any]
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, list[Array]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Replace the file at `path`.

        Raises:
            FileError: The system refuses (disk full, read-only).
        """
        import numpy as np

        about = {
            "format": _FORMAT,
            "identity": self.identity,
            "epoch": self.epoch,
            "history": self.history,
            "groups": {name: len(group) for name, group in self.arrays.items()},
        }
        named: dict[str, Any] = {
            f"{name}.{index}": array
            for name, group in self.arrays.items()
            for index, array in enumerate(group)
        }
        named["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **named)
        try:
            write_atomic(path, buffer.getvalue())
        except OSError as error:
            raise FileError.from_os_error(error) from error

    @staticmethod
    def read(path: Path) -> TrainingState | None:
        """The state at `path`; None where there is none.

        Raises:
            DataError: The file is damaged or of another version.
        """
        import numpy as np

        try:
            # Opened here: np.load leaves a damaged file open.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                about = json.loads(stored["about"].tobytes())
                if about["format"] != _FORMAT:
                    raise ValueError(f"format {about['format']}, this edgekit reads {_FORMAT}")
                arrays = {
                    name: [stored[f"{name}.{index}"] for index in range(count)]
                    for name, count in about["groups"].items()
                }
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path}: cannot be resumed from: {error}", hint="--no-resume starts over"
            ) from error
        return TrainingState(about["identity"], about["epoch"], about["history"], arrays)

    def differences(self, identity: dict[str, Any]) -> list[str]:
        """What `identity` has otherwise, in words, one line each."""
        return list(_differences(self.identity, identity))


def _differences(was: Any, now: Any, place: str = "") -> Iterator[str]:
    """One line for each value that is not the same, however deep it lies."""
    if was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            yield from _differences(was.get(key), now.get(key), f"{place}.{key}".lstrip("."))
    else:
        yield f"{place}: was {_short(was)}, now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."
