"""Jobs and sessions as steps of a page: what the transports of browsers and phones share.

A model gets a worker of its own in the page until the job or session is over. How a page is reached
is not known here: that is `_page` of a transport.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from edgekit.agent.running import run
from edgekit.errors import DeviceError
from edgekit.job import Job, JobResult
from edgekit.measure import Placement
from edgekit.passes import ON_DEVICE, parse, unavailable
from edgekit.transports.base import Transport
from edgekit.transports.session import Session
from edgekit.transports.web.files import PACKAGES, runtime_versions
from edgekit.transports.web.opened import InBatches, Opened, Page, opened

BACKENDS = ("wasm", "webgpu")
SOFTWARE_GPU = "its GPU is a program on the processor, good for outputs and not for time"
_PLACED_ROOM = 32 << 20


class PageTransport(Transport):
    """A device whose jobs are done in a page.

    Args:
        backend: "wasm" or "webgpu", for jobs that name no delegate.
    """

    batched = True

    def __init__(self, backend: str = "wasm") -> None:
        self._backend = backend

    @abstractmethod
    def _page(self, backend: str) -> AbstractContextManager[Page]:
        """A page whose browser can compute with `backend`."""

    def backend_of(self, job: Job) -> str:
        """What computes a job.

        Raises:
            DeviceError: Its delegate or its runtime is none of a browser.
        """
        if job.runtime not in PACKAGES:
            raise DeviceError(
                f"{job.runtime or 'no runtime'} does not run in a browser",
                hint="litert-js runs .tflite, onnxruntime-web .onnx: --runtime, or runtime.prefer",
            )
        if job.delegate is not None and job.delegate not in BACKENDS:
            raise DeviceError(
                f"{job.runtime} has no delegate {job.delegate!r} in a browser",
                hint=f"one of: {', '.join(BACKENDS)}",
            )
        if job.cpu is not None:
            raise DeviceError(f"a browser cannot be pinned to core {job.cpu}")
        return job.delegate or self._backend

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        versions = runtime_versions()
        if job.action == "probe":
            with self._page(self._backend) as page:
                found = {**page.about().environment, **page.surroundings()}
            named = {name: {"version": version} for name, version in versions.items()}
            return JobResult(environment={**found, "runtimes": named})
        backend = self.backend_of(job)
        if job.action == "placement":
            with self._page(backend) as page, opened(page, job, backend) as model:
                document, _ = model.ask({"step": "placed"}, most=_PLACED_ROOM)
                return JobResult(
                    environment=model.facts()["environment"],
                    documents={job.action: parse(job.action, document)},
                )
        if job.action in ON_DEVICE:
            reason = "a page is not told memory of its process, times of ops or energy"
            return JobResult(environment={}, documents={job.action: unavailable(reason)})
        if job.action == "measure":
            return self._measured(job)
        with self._page(backend) as page, opened(page, job, backend) as model:
            samples, nonfinite = run(
                job, InBatches(model, Path(str(job.inputs)), timeout_s, self.score, self.part)
            )
            facts = model.facts()
            return JobResult(
                environment=facts["environment"],
                inputs=model.inputs,
                outputs=model.outputs,
                placement=Placement.from_json(facts["placement"]),
                samples=samples,
                nonfinite=nonfinite,
            )

    def _measured(self, job: Job) -> JobResult:
        with self._timed(job) as (model, session):
            session.block(job.timing.seconds, job.timing.min_calls)
            measurement = session.measurement()
            return JobResult(
                environment=measurement.environment,
                inputs=model.inputs,
                outputs=model.outputs,
                placement=measurement.placement,
                measurement=measurement,
            )

    @contextmanager
    def session(self, job: Job) -> Iterator[Session]:
        """A fresh worker that keeps a model loaded; with `browser`, in a fresh Chromium."""
        with self._timed(job) as (_, session):
            yield session

    @contextmanager
    def _timed(self, job: Job) -> Iterator[tuple[Opened, Session]]:
        runtime_versions()
        self.refuse_latency()
        backend = self.backend_of(job)
        self._refuse_latency_of(backend)
        with self._page(backend) as page, opened(page, job, backend) as model:
            if backend == "webgpu" and model.browser.software:
                raise DeviceError(
                    f"no latency from here: {model.browser.gpu}: {SOFTWARE_GPU}",
                    hint="edgekit eval runs artifacts there; a real GPU is timed",
                )
            yield model, Session(model.carry_out, job)

    def _refuse_latency_of(self, backend: str) -> None:
        """Raise if it is known beforehand that `backend` is no one's latency."""
