"""Runtimes that are installed on a board of tests: one counts its calls, others fail."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from edgekit.agent.runtimes.base import LoadedModel, Runtime
from edgekit.measure import Placement
from edgekit.tensor import TensorInfo


class Counted(LoadedModel):
    inputs = (TensorInfo("image", "float32", (1, 8, 8, 3)),)
    outputs = (TensorInfo("y", "float32", (1, 8, 8, 3)),)

    def __init__(self, place):
        self.facts = {}
        self._file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def set_inputs(self, arrays):
        self._arrays = arrays

    def invoke(self):
        time.sleep(0.0005)
        os.write(self._file, b".")

    def get_outputs(self):
        return [self._arrays[0] * 2]

    def placement(self):
        return Placement(1, 1, 0, {"here": 1}, "test")


class Counting(Runtime):
    name, module = "counting", "json"

    def _load(self, model, threads, delegate):
        return Counted(Path(__file__).parent / f"calls-{os.getpid()}")


class Crashing(Runtime):
    name, module = "crashing", "json"

    def _load(self, model, threads, delegate):
        os.write(2, b"[E] kernel 7: bad address\n")
        os.kill(os.getpid(), signal.SIGSEGV)


class Hanging(Runtime):
    name, module = "hanging", "json"

    def _load(self, model, threads, delegate):
        while True:
            time.sleep(60)
