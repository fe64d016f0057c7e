"""The host's side of a session: a process on the device that keeps one model loaded.

Asks for blocks of timed calls and gathers them into measurements, or for answers to samples. Does
not know how a step reaches the device, and does not choose when.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields
from edgekit.job import Job
from edgekit.measure import MOST_CALLS, Measurement
from edgekit.tensor import TensorInfo, array_from_json, array_to_json

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

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


class Answering:
    """One loaded model that answers samples at once, as often as it is asked; nothing is timed.

    Args:
        ask: As of a `Session`.
        job: Action "measure": says what is loaded, and how.

    Attributes:
        inputs: In the runtime's order.
        outputs: Likewise.

    Raises:
        EdgekitError: As `Transport.run`.
    """

    def __init__(self, ask: Ask, job: Job) -> None:
        self._ask = ask
        loaded = Fields(ask({"step": "load", "job": job.to_json()}), "load", DeviceError)
        self.inputs, self.outputs = (
            tuple(TensorInfo.from_json(one, DeviceError) for one in loaded.items(key, most=4096))
            for key in ("inputs", "outputs")
        )
        loaded.done()

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Outputs for samples.

        Args:
            arrays: [N, *shape], one per input in their order, in the input's dtype.

        Returns:
            [N, ...], one per output in their order.

        Raises:
            RuntimeFault: The runtime failed, or its process crashed.
            DeviceError: The answer is malformed.
        """
        step = {"step": "answer", "inputs": [array_to_json(array) for array in arrays]}
        answer = Fields(self._ask(step), "answer", DeviceError)
        found = [
            array_from_json(entry, DeviceError) for entry in answer.items("outputs", most=4096)
        ]
        answer.done()
        if any(len(one) != len(arrays[0]) for one in found) or len(found) != len(self.outputs):
            raise DeviceError("the device answered other samples than it was asked for")
        return found
