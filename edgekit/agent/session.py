"""One model kept loaded in this process, timed block by block or answering, as the host asks.

Between two blocks other processes have their turns, so that what the machine does meanwhile falls
on all of them. The host says when; this side only times. Chooses nothing and summarises nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from edgekit.agent import machine
from edgekit.agent.runtimes.base import check_delegate, first_line
from edgekit.agent.service import fault_while_timed, first_sample, load
from edgekit.agent.timing import begin, calls
from edgekit.errors import EdgekitError, RuntimeFault, UsageError
from edgekit.fields import Fields
from edgekit.job import Job
from edgekit.measure import MOST_CALLS
from edgekit.tensor import array_from_json, array_to_json

_STEPS = ("open", "block", "work", "facts", "load", "answer")
_MOST_INPUTS = 64


def handler() -> Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]:
    """For `edgekit.process`: the steps of one session, in order; errors are raised.

    - `{"step": "open", "job": …}` loads, makes the first call and the warm-up:
      `{"load_ns", "first_ns", "warmup_ns"}`.
    - `{"step": "block", "seconds": …, "min_calls": …}` times calls without a pause:
      `{"samples_ns", "call_ns", "cpu_ns"}`.
    - `{"step": "work", "seconds": …}` makes calls that nobody times: `{}`.
    - `{"step": "facts"}` says what is known besides: `{"peak_rss_bytes", "placement",
      "environment"}`.

    Of a session in which nothing is timed:

    - `{"step": "load", "job": …}` loads: `{"inputs", "outputs"}`, what they are.
    - `{"step": "answer", "inputs": […]}` runs [N, *shape] of each input, one sample at a time:
      `{"outputs": […]}`, [N, …] each.
    """
    sessions: list[_Session] = []
    answering: list[_Answering] = []

    def handle(payload: dict[str, Any], _emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        fields = Fields(payload, "step", UsageError)
        step = fields.text("step", choices=_STEPS)
        if step == "open":
            sessions[:] = [_Session(Job.from_json(fields.mapping("job")))]
            return sessions[0].opened
        if step == "load":
            answering[:] = [_Answering(Job.from_json(fields.mapping("job")))]
            return answering[0].loaded
        if step == "answer" and answering:
            return answering[0].answer(fields.items("inputs", most=_MOST_INPUTS))
        if not sessions or step == "answer":
            raise UsageError("step: no model was opened")
        if step == "facts":
            return sessions[0].facts()
        seconds = fields.number("seconds", high=3600.0)
        if step == "work":
            return sessions[0].work(seconds)
        return sessions[0].block(seconds, fields.integer("min_calls", low=1, high=MOST_CALLS))

    return handle


class _Answering:
    def __init__(self, job: Job) -> None:
        # As for "run": its time is nobody's latency.
        self._loaded = load(replace(job, action="run"))
        model = self._loaded.model
        self.loaded = {
            "inputs": [tensor.to_json() for tensor in model.inputs],
            "outputs": [tensor.to_json() for tensor in model.outputs],
        }

    def answer(self, inputs: Sequence[Any]) -> dict[str, Any]:
        import numpy as np

        arrays = [array_from_json(entry, UsageError) for entry in inputs]
        count = min((len(array) for array in arrays), default=0)
        if not count:
            raise UsageError("inputs: they hold no sample")
        model = self._loaded.model
        try:
            found = [model([array[at : at + 1] for array in arrays]) for at in range(count)]
        except EdgekitError:
            raise
        except Exception as error:
            raise RuntimeFault(f"the model failed: {first_line(error)}") from error
        outputs = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return {"outputs": [array_to_json(array) for array in outputs]}


class _Session:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._loaded = load(job)
        self._inputs = first_sample(job, self._loaded.model)
        with fault_while_timed(self._loaded):
            first, warmup = begin(self._loaded.model, self._inputs, job.timing.warmup_calls)
        self._pace_ns = max(1, min(warmup, default=first))
        self.opened = {
            "load_ns": self._loaded.load_ns,
            "first_ns": first,
            "warmup_ns": list(warmup),
        }
        self._ticks = machine.cpu_ticks()
        self._peak: int | None = None
        self._placement: dict[str, Any] | None = None
        gc.collect()
        gc.freeze()
        gc.disable()  # this process does nothing else

    def block(self, seconds: float, min_calls: int) -> dict[str, Any]:
        # Room for twice the calls that fit at the best pace, so that nothing grows while timed.
        room = min(MOST_CALLS, int(2e9 * seconds / self._pace_ns) + min_calls)
        with fault_while_timed(self._loaded):
            samples, whole, cpu = calls(
                self._loaded.model, self._inputs, min_calls, seconds=seconds, room=room
            )
        self._pace_ns = max(1, min(self._pace_ns, *samples))
        return {"samples_ns": list(samples), "call_ns": list(whole), "cpu_ns": list(cpu)}

    def work(self, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        with fault_while_timed(self._loaded):
            while time.monotonic() < end:
                self._loaded.model(self._inputs)
        return {}

    def facts(self) -> dict[str, Any]:
        if self._placement is None:
            # Memory first: a profile of the graph costs memory that an app never needs.
            self._peak = machine.peak_rss_bytes()
            placement = self._loaded.model.placement()
            check_delegate(self._job.delegate, placement)
            self._placement = placement.to_json()
        before, self._ticks = self._ticks, machine.cpu_ticks()
        now = machine.describe()
        return {
            "peak_rss_bytes": self._peak,
            "placement": self._placement,
            "environment": {
                **self._loaded.environment,
                # What changes while a session lasts, as it is at its end.
                **{key: now[key] for key in machine.CHANGING},
                "steal_share": machine.steal_share(before, self._ticks),
            },
        }
