"""A runtime for tests: ONNX Runtime whose every call waits, by another share in every process.

A process takes the next of a row of random shares in 0–300 %, and waits in every call about that
share of what the call took. Which one is next is counted in the folder that `NOISE` names.
"""

from __future__ import annotations

import os
import random
import time
from itertools import count
from pathlib import Path

from edgekit.agent.runtimes.base import LoadedModel
from edgekit.agent.runtimes.onnxruntime import Onnxruntime


class _Waiting(LoadedModel):
    def __init__(self, model, most):
        self._model, self._most = model, most
        self.inputs, self.outputs, self.facts = model.inputs, model.outputs, model.facts

    def set_inputs(self, arrays):
        self._model.set_inputs(arrays)

    def invoke(self):
        start = time.process_time_ns()
        self._model.invoke()
        end = time.process_time_ns()
        end += int((end - start) * self._most * random.uniform(0.8, 1.0))
        while time.process_time_ns() < end:
            pass

    def get_outputs(self):
        return self._model.get_outputs()

    def placement(self):
        return self._model.placement()


class Noisy(Onnxruntime):
    """ONNX Runtime that waits."""

    def _load(self, model, threads, delegate):
        most = random.Random(_number()).uniform(0.0, 3.0)
        return _Waiting(super()._load(model, threads, delegate), most)


def _number() -> int:
    """How many processes came before this one."""
    for number in count():
        try:
            os.close(os.open(Path(os.environ["NOISE"]) / str(number), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return number
    raise AssertionError
