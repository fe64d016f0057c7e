"""What every transport offers.

A transport carries jobs whose paths are the host's; one that reaches another machine moves the
files and rewrites the paths. The public `run` checks before and after; the part an author writes is
`_run`. Does not measure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DeviceError, FileError
from edgekit.estimated import Estimate
from edgekit.job import Job, JobResult
from edgekit.measure import latency_refused
from edgekit.passes import ON_DEVICE
from edgekit.transports.session import Answering, Session

if TYPE_CHECKING:
    import numpy as np

    from edgekit.device import DeviceProfile

# Outputs of the next samples, [n, …] each → a figure so far: its name and value in points.
Score = Callable[["Sequence[np.ndarray[Any, Any]]"], tuple[str, float] | None]


@dataclass(frozen=True, slots=True)
class Part:
    """Where the samples of a job stand among more that belong together.

    Attributes:
        before: Samples before them.
        total: All samples.
    """

    before: int
    total: int


class Transport(ABC):
    """A way to one device.

    Attributes:
        batched: Whether many samples travel some at a time, one job each, so that it is seen how
            far they are, and an answer that came back is not asked for again.
        no_latency: Why no time is measured there ("emulated: …"); None where it is.
        estimates: Whether it says what an inference would take without running it.
        unasked: Why lists of devices do not ask it; None where they do.
        score: While samples are judged, the figure so far; for devices with a screen to show it on.
        part: While samples travel some at a time, where those of the next job stand.
    """

    batched: bool = False
    no_latency: str | None = None
    estimates: bool = False
    unasked: str | None = None
    score: Score | None = None
    part: Part | None = None

    @classmethod
    @abstractmethod
    def from_profile(cls, profile: DeviceProfile) -> Transport:
        """The transport for a device's profile."""

    def run(self, job: Job, *, timeout_s: float | None = 600.0) -> JobResult:
        """Do a job on the device, in a process of its own, and return its result.

        Raises:
            EdgekitError: Whatever the agent raised, rebuilt here.
            RuntimeFault: The agent's process crashed or ran longer than `timeout_s`.
            DeviceError: The answer is malformed.
        """
        job = Job.from_json(job.to_json())
        if job.action not in ("run", "probe", "placement"):
            self.refuse_latency()
        if job.model and not Path(job.model).is_file():
            raise FileError(f"{job.model}: no such model file")
        result = self._run(job, timeout_s)
        if job.action == "measure" and result.measurement is None:
            raise DeviceError("the device answered a measurement without samples")
        if job.action in ON_DEVICE and job.action not in result.documents:
            raise DeviceError(f"the device answered the pass {job.action!r} without a document")
        return result

    def session(self, job: Job) -> AbstractContextManager[Session]:
        """A fresh process on the device that keeps a model loaded and times it block by block.

        Args:
            job: Action "measure".

        Raises:
            DeviceError: This transport can carry whole jobs only.
        """
        self.refuse_latency()
        raise DeviceError(
            "this device keeps no model loaded between two blocks of calls",
            hint="compare on a device that does: edgekit devices",
        )

    def answering(self, job: Job) -> AbstractContextManager[Answering]:
        """A fresh process on the device that keeps a model loaded and answers samples.

        Args:
            job: Action "measure": says what is loaded, and how.

        Raises:
            DeviceError: This transport can carry whole jobs only.
        """
        raise DeviceError(
            "this device keeps no model loaded, and would load it for every call of a loop",
            hint="this machine does, and boards do: edgekit devices",
        )

    def estimate(self, job: Job, *, timeout_s: float | None = 600.0) -> Estimate:
        """What an inference would take on the device, by a model of it; nothing is run.

        Args:
            job: Action "measure".
            timeout_s: Limit for finding out.

        Raises:
            DeviceError: This device is there to be measured; or the file cannot be estimated.
        """
        job = Job.from_json(job.to_json())
        if not Path(job.model).is_file():
            raise FileError(f"{job.model}: no such model file")
        return self._estimate(job, timeout_s)

    @contextmanager
    def scored(self, score: Score | None) -> Iterator[None]:
        """While active, whoever runs samples may show their figure."""
        before, self.score = self.score, score
        try:
            yield
        finally:
            self.score = before

    @contextmanager
    def parted(self, part: Part) -> Iterator[None]:
        """While active, the samples of a job are a part of more, and of no use after it."""
        self.part = part
        try:
            yield
        finally:
            self.part = None

    def close(self) -> None:  # noqa: B027  most transports hold nothing
        """Let go of connections and processes; a transport that was closed is not used again."""

    def refuse_latency(self) -> None:
        """Raise where no time is measured.

        Raises:
            DeviceError: With the reason, `no_latency`.
        """
        if self.no_latency is not None:
            raise latency_refused(self.no_latency)

    def _estimate(self, job: Job, timeout_s: float | None) -> Estimate:
        """Overridden by transports that set `estimates`."""
        raise DeviceError(
            f"{type(self).__name__} estimates nothing",
            hint="edgekit profile measures there, unless edgekit devices says why it cannot",
        )

    @abstractmethod
    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        """Carry the job there and the result back."""
