"""Answers of a device to batches of samples, kept on disk by what gave them and what was asked.

A folder belongs to everything that an answer may depend on; a file in it to one batch, by the
digest of its samples. Files are written beside and renamed, old ones removed, and of the rest the
longest unused above a limit. Believes nothing: `travelling` compares with the device.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import __version__
from edgekit.agent.bundle import bundle_bytes
from edgekit.environment import of_outputs
from edgekit.files import cache_folder, digest_json, write_atomic

if TYPE_CHECKING:
    import numpy as np

    from edgekit.run import Contender
    from edgekit.transports.connect import Device

    Array = np.ndarray[Any, Any]

MOST_BYTES = 10**9
_KEEP_DAYS = 30
_DAY_S = 86_400.0
_PLACE = "answers"
_FORM = 1
_NAME = re.compile(r"(\d{1,12})-([1-9]\d{0,9})-([0-9a-f]{64})\.npz")
_FACTS = "facts"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a device gave for consecutive samples.

    Attributes:
        outputs: As the runtime gave them, [n, …] each, in the order of the file.
        facts: What outputs may depend on, as the device told it with them.
    """

    outputs: Sequence[Array]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive samples, by their place among all and by their digest.

    Attributes:
        start: Index of the first.
        count: How many.
        digest: Of names, types, shapes and values.
    """

    start: int
    count: int
    digest: str

    @property
    def stop(self) -> int:
        """Index after the last."""
        return self.start + self.count

    @staticmethod
    def of(arrays: Mapping[str, Array], start: int, count: int) -> Batch:
        """The samples [start, start + count) of `arrays`, by input."""
        import numpy as np

        total = hashlib.sha256()
        for name, array in sorted(arrays.items()):
            part = np.ascontiguousarray(array[start : start + count])
            total.update(f"{name}\0{part.dtype.str}\0{part.shape}\0".encode())
            total.update(part.data)
        return Batch(start, count, total.hexdigest())


class KeptAnswers:
    """Answers of one file on one device.

    Args:
        key: Everything that they depend on and that is known beforehand, as JSON.
        most_bytes: Of the answers of all files on all devices.
    """

    def __init__(self, key: Mapping[str, Any], *, most_bytes: int = MOST_BYTES) -> None:
        self._place = cache_folder() / _PLACE
        self._folder = self._place / digest_json({"form": _FORM, **key})
        self._most_bytes = most_bytes

    @classmethod
    def of(cls, device: Device, contender: Contender, *, fresh: bool = False) -> KeptAnswers:
        """Those of one file, in one runtime and way of computing, on one device as it is now.

        Args:
            device: That answers.
            contender: The file, and how it is run.
            fresh: Forget what was kept.
        """
        profile, environment = device.profile, device.environment
        runtimes = environment.get("runtimes")
        known = runtimes.get(contender.runtime) if isinstance(runtimes, Mapping) else None
        kept = cls(
            {
                "edgekit": __version__,
                "agent": hashlib.sha256(bundle_bytes()).hexdigest(),
                "sha256": contender.sha256,
                "runtime": [contender.runtime, known],
                "threads": contender.threads,
                "delegate": [contender.delegate, dict(contender.options)],
                "device": [profile.name, profile.transport, profile.python, str(profile.options)],
                "facts": {**of_outputs(environment), "runtimes": None},
            }
        )
        if fresh:
            kept.forget()
        return kept

    def batches(self, arrays: Mapping[str, Array]) -> list[Batch]:
        """Those of these very samples, in their order, none over another."""
        total = len(next(iter(arrays.values())))
        names = [path.name for path in self._folder.glob("*.npz")]
        found = [
            Batch(int(named[1]), int(named[2]), named[3])
            for named in map(_NAME.fullmatch, names)
            if named
        ]
        chosen: list[Batch] = []
        for batch in sorted(found, key=lambda one: (one.start, -one.count)):
            fits = (chosen[-1].stop if chosen else 0) <= batch.start and batch.stop <= total
            if fits and Batch.of(arrays, batch.start, batch.count) == batch:
                chosen.append(batch)
        return chosen

    def load(self, batch: Batch) -> Answers | None:
        """What was kept of a batch; None where it is damaged, or gone meanwhile."""
        import numpy as np

        path = self._path(batch)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                facts = json.loads(bytes(stored[_FACTS]))
                outputs = [stored[f"{index}"] for index in range(len(stored.files) - 1)]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            with suppress(OSError):
                path.unlink()
            return None
        if not isinstance(facts, dict) or any(len(one) != batch.count for one in outputs):
            return None
        with suppress(OSError):
            os.utime(path)  # used today
        return Answers(outputs, facts)

    def keep(self, batch: Batch, answers: Answers) -> bool:
        """Keep what a device gave for a batch; False where there is no room for it."""
        import numpy as np

        size = sum(array.nbytes for array in answers.outputs)
        if size > self._most_bytes // 4:
            return False
        packed = io.BytesIO()
        named: dict[str, Any] = {str(index): one for index, one in enumerate(answers.outputs)}
        named[_FACTS] = np.frombuffer(json.dumps(dict(answers.facts)).encode(), np.uint8)
        np.savez(packed, **named)
        try:
            write_atomic(self._path(batch), packed.getvalue())
        except OSError:  # a full disk costs no figure
            return False
        self.prune()
        return True

    def forget(self) -> None:
        """Remove what is kept of this file on this device."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def prune(self) -> None:
        """Remove what is old, and of the rest what was longest unused above the limit."""
        now, total = time.time(), 0
        for used, size, path in sorted(_files(self._place), reverse=True):
            total += size
            if now - used > _KEEP_DAYS * _DAY_S or total > self._most_bytes:
                with suppress(OSError):
                    path.unlink()
        for folder in self._place.iterdir() if self._place.is_dir() else ():
            with suppress(OSError):
                folder.rmdir()  # only where nothing is in it

    def _path(self, batch: Batch) -> Path:
        return self._folder / f"{batch.start}-{batch.count}-{batch.digest}.npz"


def _files(place: Path) -> list[tuple[float, int, Path]]:
    """When each was used, its size and itself."""
    found = []
    for path in place.glob("*/*"):
        with suppress(OSError):
            state = path.stat()
            found.append((state.st_mtime, state.st_size, path))
    return found
