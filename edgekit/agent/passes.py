"""Do a job whose action is a pass: what a profile finds out besides latency (`edgekit.passes`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent import machine, memory
from edgekit.agent.energy import measure_energy
from edgekit.agent.runtimes import runtime_class
from edgekit.agent.runtimes.base import LoadedModel, Runtime, first_line, refuse_latency
from edgekit.agent.samples import SampleReader
from edgekit.agent.timing import random_inputs
from edgekit.agent.tree import Tree
from edgekit.errors import EdgekitError, RuntimeFault
from edgekit.job import Job, JobResult
from edgekit.passes import Document

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def perform_pass(job: Job, tree: Tree | None = None) -> JobResult:
    """Do one pass in this process, which did nothing before.

    Args:
        job: Its action is one of `edgekit.passes.ON_DEVICE`; `timing.warmup_calls` and
            `min_calls` say how many calls, `seconds` how long each stretch of "energy" is.
        tree: The machine's files.

    Raises:
        EdgekitError: As `edgekit.agent.service.perform`.
    """
    if job.cpu is not None:
        machine.pin(job.cpu)
    import numpy  # noqa: F401,ICN001  so that it is not counted as the runtime's

    tree = tree or Tree()
    work = {"memory": _memory, "ops": _ops, "energy": _energy, "placement": _placement}[job.action]
    steps = [memory.step("start", tree)]
    runtime = runtime_class(job.runtime)()
    runtime.partly = job.action == "placement"
    steps.append(memory.step("import", tree))
    model = runtime.load(
        Path(job.model), threads=job.threads, delegate=job.delegate, options=job.options
    )
    if job.action != "placement":
        refuse_latency(model)
    steps.append(memory.step("load", tree))
    inputs = _inputs(job, model)
    try:
        document = work(job, model, inputs, tree, steps)
    except EdgekitError:
        raise
    except Exception as error:
        raise RuntimeFault(
            f"{runtime.name} failed in the pass {job.action!r}: {first_line(error)}"
        ) from error
    return JobResult(environment=_facts(job, runtime, model), documents={job.action: document})


def _memory(
    job: Job,
    model: LoadedModel,
    inputs: Sequence[Array],
    tree: Tree,
    steps: list[dict[str, Any]],
) -> Document:
    model(inputs)
    steps.append(memory.step("first", tree))
    for _ in range(job.timing.min_calls - 1):
        model(inputs)
    steps.append(memory.step("calls", tree))
    return {
        "steps": steps,
        "calls": job.timing.min_calls,
        "model_bytes": memory.model_bytes(Path(job.model)),
        "evidence": memory.evidence(tree),
    }


def _ops(
    job: Job, model: LoadedModel, inputs: Sequence[Array], _tree: Tree, _steps: object
) -> Document:
    model(inputs)
    return model.ops(job.timing.warmup_calls, job.timing.min_calls)


def _energy(
    job: Job, model: LoadedModel, inputs: Sequence[Array], tree: Tree, _steps: object
) -> Document:
    for _ in range(1 + job.timing.warmup_calls):
        model(inputs)
    return measure_energy(lambda: model(inputs), tree, seconds=job.timing.seconds)


def _placement(
    _job: Job, model: LoadedModel, inputs: Sequence[Array], _tree: Tree, _steps: object
) -> Document:
    model(inputs)
    return model.placed()


def _inputs(job: Job, model: LoadedModel) -> Sequence[Array]:
    if job.inputs:
        return SampleReader(Path(job.inputs), model.inputs)[0]
    return random_inputs(model.inputs)


def _facts(job: Job, runtime: Runtime, model: LoadedModel) -> Mapping[str, Any]:
    return {
        **machine.describe(),
        "runtime": runtime.name,
        "runtime_version": runtime.version,
        "threads": job.threads,
        "pinned_cpu": job.cpu,
        **model.facts,
    }
