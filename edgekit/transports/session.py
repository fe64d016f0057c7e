"""The host's side of a session: a process on the device that keeps one model loaded.

Asks for blocks of timed calls and gathers them into measurements. Does not know how a step reaches
the device, and does not choose when.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields
from edgekit.job import Job
from edgekit.measure import MOST_CALLS, Measurement

Ask = Callable[[dict[str, Any]], Mapping[str, Any]]


class Session:
    """One loaded model, to be timed block by block.

    Args:
        ask: Takes a step to the device and brings the answer (`edgekit.agent.session`).
        job: Action "measure"; of its timing only the warm-up counts.

    Raises:
        EdgekitError: As `Transport.run`.
    """

    def __init__(self, ask: Ask, job: Job) -> None:
        self._ask = ask
        # Checked as it comes back, together with the blocks, as one measurement.
        self._opened = ask({"step": "open", "job": job.to_json()})
        self._begin()

    def block(self, seconds: float, min_calls: int) -> int:
        """Time calls without a pause until `seconds` are over and `min_calls` are made.

        Returns:
            Calls made.

        Raises:
            RuntimeFault: The runtime failed, or its process crashed.
            DeviceError: The answer is malformed.
        """
        step = {"step": "block", "seconds": seconds, "min_calls": min_calls}
        answer = Fields(self._ask(step), "block", DeviceError)
        found = {
            key: answer.integers(key, most=MOST_CALLS, low=0, high=10**15) for key in self._series
        }
        answer.done()
        made = len(found["samples_ns"])
        for key, series in self._series.items():
            series.extend(found[key])
        self._blocks.append(made)
        return made

    def work(self, seconds: float) -> None:
        """Make calls without timing them.

        Raises:
            RuntimeFault: The runtime failed, or its process crashed.
        """
        self._ask({"step": "work", "seconds": seconds})

    def measurement(self) -> Measurement:
        """What the blocks since the last measurement gave, with the facts of this moment.

        Raises:
            DeviceError: The answer is malformed, or a delegate that was asked for ran nothing.
        """
        facts = self._ask({"step": "facts"})
        series = {key: list(values) for key, values in self._series.items()}
        measurement = Measurement.from_json(
            {**self._opened, **series, "blocks": list(self._blocks), **facts}
        )
        self._begin()
        return measurement

    def _begin(self) -> None:
        self._series = {key: array("q") for key in ("samples_ns", "call_ns", "cpu_ns")}
        self._blocks: list[int] = []
