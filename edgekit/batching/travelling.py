"""Run samples on a device some at a time; what was kept of an earlier call is not asked for again.

Nothing that was kept is believed before the device has answered some of it anew: with the same
facts and the same values, to the bit. Else all of it is thrown away. Judges nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.batching.kept import Answers, Batch, KeptAnswers
from edgekit.batching.pace import next_count
from edgekit.environment import of_outputs
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.feeding import encode, read_outputs, real, refuse_nonfinite, run_samples
from edgekit.files import emptied
from edgekit.job import Job, JobResult
from edgekit.measure import Placement
from edgekit.samples import read_samples, write_samples
from edgekit.tensor import TensorInfo
from edgekit.transports.base import Part, Transport

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_BYTES = 64 * 2**20  # of the samples of a batch
_PROOF = 16
_ENOUGH_TIMED = 2
_LONGEST_FACT = 60

# Samples done, of all (None where they are one job), and what to say of it.
Told = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an earlier call had left.

    Attributes:
        samples: Whose answers were there already.
        total: All samples.
        proven: Of those, how many were run again, and answered alike to the bit.
        forgotten: Why what was there was thrown away; None if it was not.
    """

    samples: int
    total: int
    proven: int = 0
    forgotten: str | None = None

    def __str__(self) -> str:
        """For people: `1,200 of 2,016 samples were there already`."""
        return f"{self.samples:,} of {self.total:,} samples were there already"

    def to_json(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "total": self.total,
            "proven": self.proven,
            "forgotten": self.forgotten,
        }


@dataclass(frozen=True, slots=True)
class Travelled:
    """What a device made of all samples.

    Attributes:
        outputs: Real values, one [N, …] per output in the order of the file.
        placement: Where the ops ran.
        resumed: What an earlier call had left; None where samples don't travel in batches.
    """

    outputs: list[Array]
    placement: Placement | None
    resumed: Resumed | None = None


def run_on_device(
    transport: Transport,
    job: Job,
    *,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    samples: Path,
    scratch: Path,
    kept: KeptAnswers | None = None,
    told: Told = lambda _done, _total, _note: None,
) -> Travelled:
    """Run samples through a model file on a device, some at a time where they travel.

    Args:
        transport: The way to the device.
        job: Action "run" with runtime, model, threads and delegate.
        inputs: What the file takes.
        outputs: What the file gives.
        samples: In the model's own units.
        scratch: Empty folder for what goes to and fro.
        kept: Where answers are kept; None keeps none.
        told: Called at the beginning, and whenever samples are done and others are left.

    Returns:
        The same values, to the bit, as one job with all samples gives.

    Raises:
        RuntimeFault: The runtime failed, or gave NaN or infinite values.
        DataError: The samples don't fit the file.
        DeviceError: In the middle, the device was another one than at the beginning.
    """
    if not transport.batched:
        told(0, None, "")
        found, result = run_samples(
            transport, job, inputs=inputs, outputs=outputs, samples=samples, scratch=scratch
        )
        return Travelled(found, result.placement)
    arrays = read_samples(encode(samples, inputs, scratch), [tensor.name for tensor in inputs])
    trip = _Trip(transport, job, outputs, arrays, scratch / "batches")
    there, resumed = _proven(trip, kept)
    done, at = resumed.samples, 0
    told(done, trip.total, f"resumed: {resumed}" if done else "")
    sample_bytes = sum(array.nbytes // max(1, len(array)) for array in arrays.values())
    most = max(1, MOST_BYTES // max(1, sample_bytes))
    timed: list[tuple[int, float]] = []
    while at < trip.total:
        if there and there[0].start == at:
            batch = there.pop(0)
            if (answers := kept.load(batch) if kept else None) is None:
                done -= batch.count  # removed meanwhile: asked for with the others
                continue
            if transport.score is not None:
                transport.score(answers.outputs)
            at = trip.gather(at, answers)
            continue
        room = (there[0].start if there else trip.total) - at
        count = min(next_count(timed, most), room)
        began = time.monotonic()
        answers = trip.ask(range(at, at + count), Part(at, trip.total))
        timed.append((count, time.monotonic() - began))
        if kept is not None:
            kept.keep(Batch.of(arrays, at, count), answers)
        at = trip.gather(at, answers)
        done += count
        if done < trip.total:
            told(done, trip.total, _left(trip.total - done, timed))
    return Travelled(trip.real(), trip.placement, resumed)


def _proven(trip: _Trip, kept: KeptAnswers | None) -> tuple[list[Batch], Resumed]:
    """What was kept and holds: the device answers some of it anew, alike."""
    nothing = Resumed(0, trip.total)
    if kept is None:
        return [], nothing
    kept.prune()
    there = kept.batches(trip.arrays)
    if not there:
        return [], nothing
    indices = [index for batch in there for index in range(batch.start, batch.stop)]
    count = min(_PROOF, max(batch.count for batch in there))
    chosen = [indices[place * len(indices) // count] for place in range(count)]
    with trip.transport.scored(None):  # these samples are counted where they stand among all
        anew = trip.ask(chosen, Part(0, trip.total))
    holding = []
    for batch in there:
        if (answers := kept.load(batch)) is None:
            continue
        if unlike := _unlike(batch, answers, chosen, anew):
            kept.forget()
            return [], replace(nothing, forgotten=unlike)
        holding.append(batch)
    return holding, Resumed(sum(batch.count for batch in holding), trip.total, proven=count)


def _unlike(batch: Batch, before: Answers, chosen: Sequence[int], now: Answers) -> str | None:
    """Why the device would not answer a batch as it did before; None where nothing says so."""
    if difference := _facts_differ(before.facts, now.facts):
        return difference
    for place, index in enumerate(chosen):
        if batch.start <= index < batch.stop:
            then = [array[index - batch.start] for array in before.outputs]
            if not _alike(then, [array[place] for array in now.outputs]):
                return f"sample {index} has other outputs now"
    return None


def _alike(first: Sequence[Array], second: Sequence[Array]) -> bool:
    return [(a.dtype, a.shape, a.tobytes()) for a in first] == [
        (b.dtype, b.shape, b.tobytes()) for b in second
    ]


def _facts_differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    for fact in sorted({*before, *now}):
        if before.get(fact) != now.get(fact):
            shown = [str(facts.get(fact, "not told"))[:_LONGEST_FACT] for facts in (before, now)]
            return f"{fact} was {shown[0]}, and is {shown[1]}"
    return None


def _left(samples: int, timed: Sequence[tuple[int, float]]) -> str:
    """How long the rest will take; "" after one batch, of which a job's own cost is most."""
    if len(timed) < _ENOUGH_TIMED:
        return ""
    (few, short), (many, long) = min(timed), max(timed)
    grows = many > few and long > short
    rest = samples * ((long - short) / (many - few) if grows else long / many)
    return f"about {rest:.0f} s left" if rest < 120 else f"about {rest / 60:.0f} min left"


class _Trip:
    """Jobs that carry some of the samples each, and what they bring gathered on disk."""

    def __init__(
        self,
        transport: Transport,
        job: Job,
        outputs: Sequence[TensorInfo],
        arrays: Mapping[str, Array],
        scratch: Path,
    ) -> None:
        self.transport, self.arrays = transport, arrays
        self.total = len(next(iter(arrays.values())))
        self.placement: Placement | None = None
        self._job, self._outputs, self._scratch = job, outputs, scratch
        self._facts: Mapping[str, Any] | None = None
        self._gathered: list[Array] = []

    def ask(self, indices: Sequence[int], part: Part) -> Answers:
        """Outputs of some samples, from the device."""
        place = emptied(self._scratch)
        chosen = indices if isinstance(indices, list) else slice(indices[0], indices[-1] + 1)
        fed = write_samples(
            place / "inputs", {name: array[chosen] for name, array in self.arrays.items()}
        )
        taken = place / ("outputs.npy" if len(self._outputs) == 1 else "outputs")
        asked = replace(self._job, action="run", inputs=str(fed), outputs=str(taken))
        with self.transport.parted(part):
            result = self.transport.run(asked, timeout_s=None)
        refuse_nonfinite(self._job.runtime, result, first=part.before)
        if result.samples != len(indices):
            raise DeviceError(
                f"the device answered {result.samples:,} samples; {len(indices):,} were sent"
            )
        self.placement = result.placement
        self._check(result)
        found = read_outputs(taken, self._outputs, [tensor.name for tensor in result.outputs])
        return Answers([_in_memory(array) for array in found], dict(self._facts or {}))

    def gather(self, start: int, answers: Answers) -> int:
        """Put outputs in their place among all; returns where the next ones belong."""
        import numpy as np

        if not self._gathered:
            self._scratch.mkdir(parents=True, exist_ok=True)
            self._gathered = [
                np.lib.format.open_memmap(
                    self._scratch.with_name(f"gathered-{index}.npy"),
                    mode="w+",
                    dtype=array.dtype,
                    shape=(self.total, *array.shape[1:]),
                )
                for index, array in enumerate(answers.outputs)
            ]
        stop = start + len(answers.outputs[0])
        for whole, array in zip(self._gathered, answers.outputs, strict=True):
            if (whole.dtype, whole.shape[1:]) != (array.dtype, array.shape[1:]):
                raise RuntimeFault(
                    f"{self._job.runtime}: outputs of sample {start} are {array.dtype} "
                    f"{list(array.shape[1:])}, those before {whole.dtype} {list(whole.shape[1:])}"
                )
            whole[start:stop] = array
        return stop

    def real(self) -> list[Array]:
        """All outputs in real values."""
        return [
            real(array, tensor) for array, tensor in zip(self._gathered, self._outputs, strict=True)
        ]

    def _check(self, result: JobResult) -> None:
        """Whoever answers now answered before: of one figure all samples have one origin."""
        told = result.placement.to_json() if result.placement else None
        facts = {**of_outputs(result.environment), "placement": told}
        if self._facts is None:
            self._facts = facts
        elif difference := _facts_differ(self._facts, facts):
            raise DeviceError(
                f"another device answers than at the beginning: {difference}",
                hint="is it one board alone that has this address? run the same command again",
            )


def _in_memory(array: Array) -> Array:
    """A copy: the file is written anew for the next batch."""
    import numpy as np

    return np.array(array)
