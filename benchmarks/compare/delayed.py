"""Runtimes that take longer by a known share: the real ones, with a busy-wait after each call.

`litert+30` is LiteRT whose every call takes 3.0 % longer than it took; `litert+0` waits for nothing
and pays the same for asking the clock. Found through entry points of a distribution that
`installed` puts on the path of child processes; nothing is installed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.agent.runtimes import runtime_class
from edgekit.agent.runtimes.base import LoadedModel, Runtime

RUNTIMES = ("litert", "onnxruntime", "openvino")
PER_MILLE = (0, 10, 30, 50)


class _DelayedModel(LoadedModel):
    def __init__(self, model: LoadedModel, share: float, *, by_wall: bool) -> None:
        self._model = model
        self._share = share
        self._clock = time.perf_counter_ns if by_wall else time.process_time_ns
        # The wait itself by the quicker clock: asking the other one takes half of 1 % of a call.
        self._waiting = time.perf_counter_ns
        self.inputs, self.outputs, self.facts = model.inputs, model.outputs, model.facts

    def set_inputs(self, arrays: Sequence[Any]) -> None:
        self._model.set_inputs(arrays)

    def invoke(self) -> None:
        clock, waiting = self._clock, self._waiting
        start = clock()
        self._model.invoke()
        wait = int((clock() - start) * self._share)
        end = waiting() + wait
        while waiting() < end:
            pass

    def get_outputs(self) -> list[Any]:
        return self._model.get_outputs()

    def placement(self) -> Any:
        return self._model.placement()


def __getattr__(name: str) -> type[Runtime]:
    """The class behind an entry point: `litert_30`."""
    runtime, _, per_mille = name.rpartition("_")
    if runtime not in RUNTIMES or not per_mille.isdecimal():
        raise AttributeError(name)
    real = runtime_class(runtime)

    class Delayed(real):  # type: ignore[valid-type,misc]  # a class made here
        """The runtime, slowed down."""

        def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
            loaded = super()._load(model, threads, delegate)
            return _DelayedModel(loaded, int(per_mille) / 1000, by_wall=threads > 1)

    return Delayed


def name_of(runtime: str, per_mille: int) -> str:
    """Name of a delayed runtime."""
    return f"{runtime}+{per_mille}"


@contextmanager
def installed() -> Iterator[None]:
    """Child processes of this one find the delayed runtimes."""
    with tempfile.TemporaryDirectory(prefix="edgekit-delayed-") as place:
        info = Path(place) / "edgekit_delayed-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edgekit-delayed\nVersion: 0\n")
        points = "\n".join(
            f"{name_of(runtime, share)} = {__name__}:{runtime}_{share}"
            for runtime in RUNTIMES
            for share in PER_MILLE
        )
        (info / "entry_points.txt").write_text(f"[edgekit.runtimes]\n{points}\n")
        before = os.environ.get("PYTHONPATH")
        root = Path(__file__).resolve().parents[2]
        os.environ["PYTHONPATH"] = os.pathsep.join(
            part for part in (place, str(root), before) if part
        )
        try:
            yield
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before
