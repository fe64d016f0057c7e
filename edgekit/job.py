"""The wire contract between edgekit and an agent: a job goes out as JSON, a result comes back.

    {"version": 1, "action": "measure", "runtime": "litert", "model": "m.tflite", ...}
    {"version": 1, "ok": true, "inputs": [...], "placement": {...}, ...}
    {"version": 1, "ok": false, "error": {"type": "RuntimeFault", "message": ...}}

Both sides distrust each other: keys, types and sizes are checked, an unknown version is refused.
Knows data. Does not run jobs and does not carry them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.errors import DeviceError, EdgekitError, UsageError
from edgekit.fields import Fields, Setting, printable
from edgekit.measure import MOST_CALLS, Measurement, Placement
from edgekit.passes import ON_DEVICE, parse
from edgekit.tensor import TensorInfo

# 1: first version.
VERSION = 1

ACTIONS = ("run", "measure", "probe", *ON_DEVICE)
LONGEST_JOB = 64 * 1024  # characters
LONGEST_RESULT = 64 * 1024 * 1024
_MOST_TENSORS = 256


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to measure: until `seconds` have passed and `min_calls` are made.

    Attributes:
        warmup_calls: Calls before the timed ones; the first call is not among them.
        seconds: Time for the timed calls.
        min_calls: Timed calls that are made however slow they are.
    """

    warmup_calls: int = 20
    seconds: float = 0.3
    min_calls: int = 30


@dataclass(frozen=True, slots=True)
class Job:
    """One thing for an agent to do. Paths are as the agent sees them.

    Attributes:
        action: "run" (outputs for given inputs), "measure" (timing), "probe" (what is there), or a
            pass ("memory", "ops", "energy"; see `edgekit.passes`).
        runtime: Name of the runtime. For "probe" "", or who is asked for `delegate`.
        model: The model file.
        threads: Threads the runtime may compute with.
        delegate: What must execute the ops ("xnnpack", "cuda", "GPU", a delegate library's path);
            "none" forbids the default one; None leaves the runtime its default. A delegate that
            is asked for and then runs nothing is an error.
        options: Settings of the delegate, by its own names.
        inputs: "run": a .npy of [N, *shape] (or a folder with one per input, named by
            `tensor_file`), fed one sample at a time with a batch axis added. "measure": the first
            sample of it; None for random values.
        outputs: "run": the .npy to write, [N, *output shape without batch]; a folder, where the
            model has several outputs.
        cpu: Core to pin the process to before the runtime loads.
        timing: For "measure" and passes.
    """

    action: str
    runtime: str = ""
    model: str = ""
    threads: int = 1
    delegate: str | None = None
    options: Mapping[str, Setting] = field(default_factory=dict)
    inputs: str | None = None
    outputs: str | None = None
    cpu: int | None = None
    timing: Timing = field(default_factory=Timing)

    def to_json(self) -> dict[str, Any]:
        told = {"version": VERSION, **asdict(self)}
        if not self.options:
            del told["options"]
        return told

    @staticmethod
    def from_json(data: Any) -> Job:
        """Check and rebuild a job.

        Raises:
            UsageError: Unknown version, or a key that is missing, unknown, of the wrong type or
                out of bounds.
        """
        fields = Fields(data, "job", UsageError)
        _refuse_other_version(fields, "job", UsageError)
        timing, usual = fields.table("timing"), Timing()
        job = Job(
            action=fields.text("action", choices=ACTIONS),
            runtime=fields.text("runtime", "", longest=100),
            model=fields.text("model", ""),
            threads=fields.integer("threads", 1, low=1, high=1024),
            delegate=fields.optional_text("delegate"),
            options=fields.settings("options"),
            inputs=fields.optional_text("inputs"),
            outputs=fields.optional_text("outputs"),
            cpu=fields.optional_integer("cpu", high=65_535),
            timing=Timing(
                warmup_calls=timing.integer("warmup_calls", usual.warmup_calls, high=10_000),
                seconds=timing.number("seconds", usual.seconds, high=3600.0),
                min_calls=timing.integer("min_calls", usual.min_calls, low=1, high=MOST_CALLS),
            ),
        )
        timing.done()
        fields.done()
        needed = {"run": ("runtime", "model", "inputs", "outputs"), "probe": ()}
        for key in needed.get(job.action, ("runtime", "model")):
            if not getattr(job, key):
                raise fields.fail(key, f"the action {job.action!r} needs it")
        return job


@dataclass(frozen=True, slots=True)
class NonFinite:
    """NaN or infinite values among the outputs.

    Attributes:
        values: How many values.
        samples: In how many samples.
        first_sample: Index of the first such sample.
    """

    values: int
    samples: int
    first_sample: int


@dataclass(frozen=True, slots=True)
class JobResult:
    """What an agent answers when the job succeeded; a failure arrives as its error.

    Attributes:
        environment: What the machine said about itself, and for "probe" its `runtimes`.
        inputs: The model's inputs, in the runtime's order.
        outputs: Likewise.
        placement: Where the ops ran; None for "probe".
        samples: Samples run.
        nonfinite: NaN or infinite outputs; None if every value was finite.
        measurement: For "measure".
        documents: For a pass, its document by its name.
    """

    environment: Mapping[str, Any]
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    placement: Placement | None = None
    samples: int = 0
    nonfinite: NonFinite | None = None
    measurement: Measurement | None = None
    documents: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "ok": True,
            "environment": dict(self.environment),
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "placement": self.placement.to_json() if self.placement else None,
            "samples": self.samples,
            "nonfinite": asdict(self.nonfinite) if self.nonfinite else None,
            "measurement": self.measurement.to_json() if self.measurement else None,
            **({"documents": dict(self.documents)} if self.documents else {}),
        }

    @staticmethod
    def from_json(data: Any) -> JobResult:
        """Check and rebuild an answer.

        Raises:
            EdgekitError: The job failed: the agent's own error, rebuilt.
            DeviceError: The answer itself is malformed or of another version.
        """
        fields = Fields(data, "result", DeviceError)
        _refuse_other_version(fields, "result", DeviceError)
        if not fields.flag("ok"):
            raise EdgekitError.from_json(printable(fields.mapping("error")))
        nonfinite, placement, measurement = (
            fields.optional_mapping(key) for key in ("nonfinite", "placement", "measurement")
        )
        result = JobResult(
            environment=printable(fields.mapping("environment")),
            inputs=_tensors(fields, "inputs"),
            outputs=_tensors(fields, "outputs"),
            placement=Placement.from_json(placement) if placement is not None else None,
            samples=fields.integer("samples", high=10**9),
            nonfinite=_nonfinite(nonfinite) if nonfinite is not None else None,
            measurement=Measurement.from_json(measurement) if measurement is not None else None,
            documents=_documents(fields),
        )
        fields.done()
        return result


def failure_json(error: EdgekitError) -> dict[str, Any]:
    """The answer that says a job failed."""
    return {"version": VERSION, "ok": False, "error": error.to_json()}


def parse_job(text: str) -> Job:
    """A job from its JSON text.

    Raises:
        UsageError: Too long, not JSON, or not a job.
    """
    if len(text) > LONGEST_JOB:
        raise UsageError(f"job: {len(text)} characters; at most {LONGEST_JOB} are accepted")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"job: not JSON: {error}") from None
    return Job.from_json(data)


def parse_result(text: str) -> JobResult:
    """An answer from its JSON text. Raises as `JobResult.from_json` does."""
    if len(text) > LONGEST_RESULT:
        raise DeviceError(f"result: {len(text)} characters; at most {LONGEST_RESULT} are accepted")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeviceError(f"result: not JSON: {error}") from None
    return JobResult.from_json(data)


def tensor_file(name: str) -> str:
    """File name for one of several inputs or outputs: `serving_default_a:0` → its safe form."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
    return f"{safe[:200]}.npy"


def _refuse_other_version(fields: Fields, what: str, error: type[EdgekitError]) -> None:
    version = fields.integer("version", high=10**6)
    if version != VERSION:
        raise error(
            f"{what}: version {version} of the wire contract; this edgekit speaks {VERSION}",
            hint="use the same edgekit on both sides",
        )


def _tensors(fields: Fields, key: str) -> tuple[TensorInfo, ...]:
    entries = fields.items(key, most=_MOST_TENSORS)
    return tuple(TensorInfo.from_json(entry, DeviceError) for entry in entries)


def _documents(fields: Fields) -> dict[str, Any]:
    documents = fields.mapping("documents", {})
    for name in documents:
        if name not in ON_DEVICE:
            raise fields.fail("documents", f"{str(name)[:40]!r} is no pass of a device")
    return {name: parse(name, data) for name, data in documents.items()}


def _nonfinite(data: Mapping[str, Any]) -> NonFinite:
    fields = Fields(data, "result: nonfinite", DeviceError)
    found = NonFinite(
        values=fields.integer("values", high=2**60),
        samples=fields.integer("samples", high=10**9),
        first_sample=fields.integer("first_sample", high=10**9),
    )
    fields.done()
    return found
