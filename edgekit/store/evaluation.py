"""An evaluation, as data: what an artifact reached on a data set, and where it was right.

Two artifacts judged on the same samples (equal `sample_digest`) can be compared pair by pair.
Measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.errors import StoreError
from edgekit.fields import Fields, printable

MOST_SAMPLES = 10**8


@dataclass(frozen=True, slots=True)
class KeptEvaluation:
    """One artifact judged on one data set.

    Attributes:
        sha256: Digest of the artifact.
        model: Name of the model.
        target: As in the manifest.
        precision: As in the manifest.
        dataset: Name of the data set, or the path of its folder.
        split: "test", "validation" or "train".
        samples: How many were judged.
        sample_digest: Digest of which they were, and in which order.
        metric: Name, value, interval and so on, as in the manifest.
        device: Name of the device profile.
        runtime: Runtime that ran it.
        started: When, UTC, as ISO 8601 with seconds: "2026-11-21T23:17:28Z".
        hits: A bit per sample, set where the artifact was right, as `pack_hits` makes them; None
            where a metric has no right and wrong.
    """

    sha256: str
    model: str
    target: str
    precision: str
    dataset: str
    split: str
    samples: int
    sample_digest: str
    metric: Mapping[str, Any]
    device: str
    runtime: str
    started: str
    hits: bytes | None = None

    def __post_init__(self) -> None:
        if self.hits is not None and len(self.hits) != (self.samples + 7) // 8:
            raise ValueError(f"{len(self.hits)} bytes of hits are not {self.samples} samples")

    def right(self) -> list[bool] | None:
        """Per sample whether the artifact was right; None where that is not known."""
        return None if self.hits is None else unpack_hits(self.hits, self.samples)

    def to_json(self) -> dict[str, Any]:
        """Everything; the hits in hexadecimal digits."""
        return {**asdict(self), "hits": None if self.hits is None else self.hits.hex()}

    @staticmethod
    def from_json(data: Any, where: str = "evaluation") -> KeptEvaluation:
        """Rebuild what `to_json` gave.

        Raises:
            StoreError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        taken = Fields(data, where, StoreError)
        samples = taken.integer("samples", high=MOST_SAMPLES)
        size = (samples + 7) // 8
        hits = taken.text("hits", longest=2 * size) if taken.has("hits") else None
        names = ("model", "target", "precision", "dataset", "split", "device", "runtime")
        try:
            evaluation = KeptEvaluation(
                **{key: taken.name(key, longest=1024) for key in names},
                sha256=taken.name("sha256", longest=64),
                samples=samples,
                sample_digest=taken.name("sample_digest", longest=64),
                metric=printable(taken.mapping("metric")),
                started=taken.name("started", longest=40),
                hits=None if hits is None else bytes.fromhex(hits),
            )
        except ValueError as error:
            raise taken.fail("hits", str(error)) from error
        if hits is None:
            taken.optional_text("hits")
        taken.done()
        return evaluation


def pack_hits(right: Iterable[bool]) -> bytes:
    """A bit per sample, the first in the highest bit of the first byte (as `numpy.packbits`)."""
    digits = "".join("1" if one else "0" for one in right)
    size = (len(digits) + 7) // 8
    return int(digits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")


def unpack_hits(hits: bytes, samples: int) -> list[bool]:
    """The first `samples` bits of `hits`, as `pack_hits` packed them."""
    digits = "".join(f"{byte:08b}" for byte in hits)
    return [digit == "1" for digit in digits[:samples]]
