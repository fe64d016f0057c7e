"""A page, and a model that is loaded in one of its workers.

Says steps to the page and checks what comes back; samples travel some at a time. Does not know how
a page is reached, nor what may be timed.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent.runtimes.base import LoadedModel, check_delegate
from edgekit.agent.samples import SampleReader
from edgekit.agent.timing import random_inputs
from edgekit.errors import DeviceError, EdgekitError
from edgekit.fields import Fields
from edgekit.job import Job
from edgekit.measure import Placement
from edgekit.tensor import TensorInfo
from edgekit.transports.base import Part, Score
from edgekit.transports.web import answers
from edgekit.transports.web.exchange import Exchange, PageLost
from edgekit.transports.web.files import runtime_versions

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_LONGEST_STEP_S = 600.0
_BATCH_BYTES = 4 << 20
_BATCH_SAMPLES = 64
_ROOM = 1 << 20
_OPEN_ROOM = 256 << 20
_MOST_RETURNS = 20

_sessions = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that a browser has claimed.

    Attributes:
        exchange: The way to it.
        surroundings: What is known of the machine besides what the page says.
        returns: Whether a page that was loaded anew is gone on with.
    """

    exchange: Exchange
    surroundings: Callable[[], Mapping[str, Any]]
    returns: bool = False

    def about(self) -> answers.About:
        """What it says about its browser."""
        header, _ = self.exchange.ask({"step": "probe"}, timeout_s=_LONGEST_STEP_S)
        return answers.about(header)


class Opened:
    """A model that is loaded in a page.

    Args:
        page: Where.
        job: Which, and how.
        backend: "wasm" or "webgpu".
    """

    def __init__(self, page: Page, job: Job, backend: str) -> None:
        self._page, self._job, self._backend = page, job, backend
        self._versions = runtime_versions()
        self.load()

    def load(self) -> None:
        """Have the page load the model, again if it was loaded anew itself.

        Raises:
            DeviceError: The browser lacks what was asked for.
            RuntimeFault: The runtime refuses the file.
        """
        page, job = self._page, self._job
        self._number = next(_sessions)
        self._load = page.exchange.loads
        self.browser = page.about()
        self._check()
        path = Path(job.model)
        name = f"model-{self._number}"
        page.exchange.files[name] = path
        try:
            header, _ = self.ask(
                {
                    "step": "load",
                    "title": " ".join(path.resolve().parts[-3:-1]) or path.name,
                    "runtime": job.runtime,
                    "backend": self._backend,
                    "threads": job.threads,
                    "timed": job.action == "measure",
                    "file": {
                        "name": name,
                        "bytes": path.stat().st_size,
                        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    },
                }
            )
        finally:
            del page.exchange.files[name]
        found = answers.loaded(header)
        self.inputs, self.outputs = found.inputs, found.outputs
        self._load_ns, self._facts = found.load_ns, found.facts
        self._began: dict[str, Any] = {}

    def ask(
        self,
        step: Mapping[str, Any],
        body: bytes = b"",
        *,
        most: int = _OPEN_ROOM,
        timeout_s: float | None = None,
    ) -> tuple[dict[str, Any], memoryview]:
        """A step for this model's worker."""
        return self._page.exchange.ask(
            {**step, "session": self._number},
            body,
            load=self._load,
            most=most,
            timeout_s=timeout_s or _LONGEST_STEP_S,
        )

    def carry_out(self, step: dict[str, Any]) -> Mapping[str, Any]:
        """A step of `edgekit.agent.session`, for `Session`."""
        if step["step"] == "open":
            return self._begin()
        if step["step"] == "facts":
            return self.facts()
        header, _ = self.ask(step)
        return header

    def run_batch(
        self, samples: Sequence[Sequence[Array]], show: Mapping[str, Any], timeout_s: float | None
    ) -> list[list[Array]]:
        """Outputs of some samples, one list of arrays a sample."""
        import numpy as np

        body = b"".join(np.ascontiguousarray(a).tobytes() for one in samples for a in one)
        step = {"step": "run", "count": len(samples), "show": show, **_described(samples[0])}
        size = sum(_bytes_of(tensor) or math.inf for tensor in self.outputs)
        room = _OPEN_ROOM if math.isinf(size) else int(size) * len(samples) + _ROOM
        header, raw = self.ask(step, body, most=room, timeout_s=timeout_s)
        given = Fields(header, "outputs", DeviceError)
        shapes = [Fields(one, "output", DeviceError) for one in given.items("outputs", most=256)]
        given.done()
        if len(shapes) != len(self.outputs):
            raise DeviceError(f"the page gave {len(shapes)} outputs of {len(self.outputs)}")
        kinds = [
            (np.dtype(tensor.dtype), shape.integers("shape", most=16, low=0, high=2**31))
            for tensor, shape in zip(self.outputs, shapes, strict=True)
        ]
        sizes = [kind.itemsize * math.prod(shape) for kind, shape in kinds]
        if len(raw) != sum(sizes) * len(samples):
            raise DeviceError(
                f"the page sent {len(raw):,} bytes of outputs; "
                f"{sum(sizes) * len(samples):,} are those of {len(samples)} samples"
            )
        found, at = [], 0
        for _ in samples:
            one = []
            for (kind, shape), length in zip(kinds, sizes, strict=True):
                one.append(np.frombuffer(raw[at : at + length], kind).reshape(shape))
                at += length
            found.append(one)
        return found

    def facts(self) -> dict[str, Any]:
        """Where the ops ran, and on what.

        Raises:
            DeviceError: WebGPU was asked for and ran nothing.
        """
        header, _ = self.ask({"step": "facts"})
        fields = Fields(header, "the page's facts of a model", DeviceError)
        placement = Placement.from_json(fields.mapping("placement"))
        memory = fields.optional_integer("page_memory_bytes", high=2**60)
        redone = fields.integer("blocks_redone", high=10**9)
        fields.done()
        if self._backend == "webgpu":
            check_delegate("webgpu", placement)
        return {
            # Of the process only its system knows the peak; the page knows what it holds now.
            "peak_rss_bytes": None,
            "placement": placement.to_json(),
            "environment": {
                **self.browser.environment,
                **self._page.surroundings(),
                "runtime": self._job.runtime,
                "runtime_version": self._versions[self._job.runtime],
                "backend": self._backend,
                "threads": self._job.threads,
                "pinned_cpu": None,
                "page_memory_bytes": memory,
                "blocks_redone": redone,
                **self._facts,
                **self._began,
            },
        }

    def close(self) -> None:
        """End its worker."""
        with suppress(EdgekitError):
            self.ask({"step": "close"}, timeout_s=5.0)

    def returned(self) -> bool:
        """Whether a page that was lost is there again, with the model loaded anew."""
        if not self._page.returns:
            return False
        self.load()
        return True

    def _begin(self) -> Mapping[str, Any]:
        job = self._job
        if job.inputs:
            sample = SampleReader(Path(job.inputs), self.inputs)[0]
        else:
            sample = random_inputs(self.inputs)
        step = {"step": "begin", "warmup_calls": job.timing.warmup_calls, **_described(sample)}
        header, _ = self.ask(step, b"".join(array.tobytes() for array in sample))
        fields = Fields(header, "the page's first calls", DeviceError)
        # Checked as they come back with the measurement.
        opened = {"first_ns": header.get("first_ns"), "warmup_ns": header.get("warmup_ns")}
        self._began = {"calls_per_sample": fields.integer("calls_per_sample", low=1, high=10**6)}
        return {"load_ns": self._load_ns, **opened}

    def _check(self) -> None:
        """Refuse what this browser does not have, before anything is sent there."""
        browser, job = self.browser, self._job
        if job.threads > browser.threads:
            raise DeviceError(
                f"{job.threads} threads were asked for; wasm has {browser.threads} in this browser",
                f"cross-origin isolated: {browser.environment['cross_origin_isolated']}",
                hint="threads in the device's TOML file; over http from a LAN there is one only",
            )
        if self._backend == "webgpu" and browser.gpu is None:
            reason = "no adapter" if browser.secure else "it needs https, or localhost"
            raise DeviceError(
                f"WebGPU was asked for and is not there: {reason}",
                hint='backend = "wasm" in the device\'s TOML file',
            )


@contextmanager
def opened(page: Page, job: Job, backend: str) -> Iterator[Opened]:
    """A model loaded in a page, whose worker ends with the context. Raises as `Opened.load`."""
    model = Opened(page, job, backend)
    try:
        yield model
    finally:
        model.close()


class InBatches(LoadedModel):
    """A model in a page as `edgekit.agent.running` knows one: samples travel some at a time."""

    def __init__(
        self,
        model: Opened,
        samples: Path,
        timeout_s: float | None,
        score: Score | None = None,
        part: Part | None = None,
    ) -> None:
        self._model, self._timeout_s, self._score = model, timeout_s, score
        self._figure: dict[str, Any] | None = None
        self._reader = SampleReader(samples, model.inputs)
        self._part = part or Part(0, len(self._reader))
        self._at = self._returns = 0
        self._ready: list[list[Array]] = []
        self.inputs, self.outputs, self.facts = model.inputs, model.outputs, {}

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        if not self._ready:
            self._fetch(max(1, sum(array.nbytes for array in arrays)))
        return self._ready.pop(0)

    def _fetch(self, sample_bytes: int) -> None:
        count = max(1, min(_BATCH_SAMPLES, _BATCH_BYTES // sample_bytes))
        chosen = range(self._at, min(self._at + count, len(self._reader)))
        batch = [self._reader[index] for index in chosen]
        done, total = self._part.before + self._at, self._part.total
        show = {"done": done, "total": total, "score": self._figure}
        try:
            self._ready = self._model.run_batch(batch, show, self._timeout_s)
        except PageLost:
            self._returns += 1
            if self._returns > _MOST_RETURNS or not self._model.returned():
                raise
            self._fetch(sample_bytes)
        else:
            self._at = chosen.stop
            self._judge()

    def _judge(self) -> None:
        """Have the page show the figure so far: with the next samples, or alone after the last."""
        import numpy as np

        outputs = [np.concatenate(one) for one in zip(*self._ready, strict=True)]
        figure = self._score(outputs) if self._score else None
        self._figure = {"name": figure[0], "value": figure[1]} if figure else None
        if figure and self._at == len(self._reader):
            self._model.ask({"step": "show", "score": self._figure})

    def set_inputs(self, arrays: Sequence[Array]) -> None:
        raise NotImplementedError

    def invoke(self) -> None:
        raise NotImplementedError

    def get_outputs(self) -> list[Array]:
        raise NotImplementedError

    def placement(self) -> Placement:
        raise NotImplementedError


def _described(sample: Sequence[Array]) -> dict[str, Any]:
    return {
        "tensors": [
            {"dtype": array.dtype.name, "shape": list(array.shape), "bytes": array.nbytes}
            for array in sample
        ]
    }


def _bytes_of(tensor: TensorInfo) -> int | None:
    """Bytes of one sample of a tensor; None where a size is left open."""
    import numpy as np

    if any(size < 0 for size in tensor.shape[1:]):
        return None
    sizes = (max(size, 1) for size in tensor.shape)
    return int(np.dtype(tensor.dtype).itemsize) * math.prod(sizes)
