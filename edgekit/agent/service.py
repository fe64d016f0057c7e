"""Do one job: pin, import the runtime, load, run or time, and say how it went.

One process serves one job, so that nothing of an earlier one is in memory, caches or figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent import machine
from edgekit.agent.passes import perform_pass
from edgekit.agent.running import run
from edgekit.agent.runtimes import OF_MACHINES, runtime_class
from edgekit.agent.runtimes.base import (
    LoadedModel,
    Runtime,
    check_delegate,
    first_line,
    refuse_latency,
)
from edgekit.agent.samples import SampleReader
from edgekit.agent.timing import random_inputs, time_calls
from edgekit.errors import EdgekitError, RuntimeFault
from edgekit.job import Job, JobResult
from edgekit.measure import Measurement
from edgekit.passes import ON_DEVICE

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def handler() -> Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]:
    """For `edgekit.process`: a job's JSON to its result's JSON; errors are raised."""
    return lambda payload, _emit: perform(Job.from_json(payload)).to_json()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in its runtime.

    Attributes:
        runtime: The imported runtime.
        model: The loaded model.
        load_ns: From the file to a model that can be called.
        environment: What machine and runtime say about themselves.
    """

    runtime: Runtime
    model: LoadedModel
    load_ns: int
    environment: Mapping[str, Any]


def perform(job: Job) -> JobResult:
    """Do a job in this process.

    Raises:
        MissingExtraError: The runtime is not installed.
        DeviceError: The core, delegate or device that was asked for is not there or not used.
        DataError: The samples don't fit the model.
        FileError: A file is missing or cannot be written.
        RuntimeFault: The runtime failed.
    """
    if job.action == "probe":
        _pin(job)
        told: Mapping[str, Any] = {}
        if job.runtime and job.delegate:
            told = runtime_class(job.runtime)().look_for(job.delegate, job.options)
        return JobResult(environment={**machine.describe(), "runtimes": _runtimes(), **told})
    if job.action in ON_DEVICE:
        return perform_pass(job)
    loaded = load(job)
    if job.action == "measure":
        return _measure(job, loaded)
    samples, nonfinite = run(job, loaded.model)
    placement = loaded.model.placement()
    check_delegate(job.delegate, placement)
    return JobResult(
        environment=loaded.environment,
        inputs=loaded.model.inputs,
        outputs=loaded.model.outputs,
        placement=placement,
        samples=samples,
        nonfinite=nonfinite,
    )


def _pin(job: Job) -> None:
    if job.cpu is not None:
        machine.pin(job.cpu)  # before numpy and the runtime start their threads


def load(job: Job) -> Loaded:
    """Pin this process, import the runtime and load the model. Raises as `perform`."""
    _pin(job)
    runtime = runtime_class(job.runtime)()
    start = time.perf_counter_ns()
    model = runtime.load(
        Path(job.model), threads=job.threads, delegate=job.delegate, options=job.options
    )
    load_ns = time.perf_counter_ns() - start
    if job.action != "run":
        refuse_latency(model)
    environment = {
        **machine.describe(),
        "runtime": runtime.name,
        "runtime_version": runtime.version,
        "threads": job.threads,
        "pinned_cpu": job.cpu,
        **model.facts,
    }
    return Loaded(runtime, model, load_ns, environment)


def first_sample(job: Job, model: LoadedModel) -> list[Array]:
    """What a timed call is fed: the first sample of the job's inputs, or random values."""
    if job.inputs:
        return SampleReader(Path(job.inputs), model.inputs)[0]
    return random_inputs(model.inputs)


def _measure(job: Job, loaded: Loaded) -> JobResult:
    model = loaded.model
    inputs = first_sample(job, model)
    ticks: list[tuple[int, int] | None] = []
    with fault_while_timed(loaded):
        series = time_calls(
            model,
            inputs,
            job.timing,
            before_timed=lambda: ticks.append(machine.cpu_ticks()),
            after_timed=lambda: ticks.append(machine.cpu_ticks()),
        )
    # Before placement is read: a profile of the graph costs memory that an app never needs.
    peak = machine.peak_rss_bytes()
    placement = model.placement()
    check_delegate(job.delegate, placement)
    measurement = Measurement(
        samples_ns=series.samples_ns,
        call_ns=series.call_ns,
        cpu_ns=series.cpu_ns,
        blocks=(len(series.samples_ns),),
        warmup_ns=series.warmup_ns,
        load_ns=loaded.load_ns,
        first_ns=series.first_ns,
        peak_rss_bytes=peak,
        placement=placement,
        environment={**loaded.environment, "steal_share": machine.steal_share(*ticks)},
    )
    return JobResult(
        environment=measurement.environment,
        inputs=model.inputs,
        outputs=model.outputs,
        placement=placement,
        measurement=measurement,
    )


@contextmanager
def fault_while_timed(loaded: Loaded) -> Iterator[None]:
    """Whatever a runtime raises while it is timed, as a `RuntimeFault`."""
    try:
        yield
    except Exception as error:
        raise RuntimeFault(
            f"{loaded.runtime.name} failed while it was timed: {first_line(error)}"
        ) from error


def _runtimes() -> dict[str, Any]:
    """Runtimes of machines by name: {"version"} if they import here, else {"error"}."""
    found: dict[str, Any] = {}
    for name in OF_MACHINES:
        try:
            found[name] = {"version": runtime_class(name)().version}
        except EdgekitError as error:
            found[name] = {"error": error.message}
    return found
