"""A run, as data: who was measured against whom, by which rules, on what, and every raw sample.

`profile` and `compare` make runs; the store keeps them, `report`, `check` and `history` read them.
Does not measure and draws no conclusion.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError, DeviceError, FileError
from edgekit.fields import Fields, Setting, printable
from edgekit.files import digest_json
from edgekit.measure import Measurement
from edgekit.metrics import MetricValue
from edgekit.moments import is_moment

# History of the document: 1 (0.1.0) one row per artifact, samples joined; 2 (0.2.0) contenders and
# turns with blocks.
FORMAT = 2

COMMANDS = ("profile", "compare", "sustained")
MOST_CONTENDERS = 256
MOST_TURNS = 100_000
MOST_BYTES = 2**30  # of a run's file: 100,000 turns of raw samples are about half of it


# Browsers and LiteRT's benchmark tool tell no processor time: their `cpu_ns` are 0.
_NO_CPU_CLOCK = ("litert-js", "onnxruntime-web", "benchmark-model")


@dataclass(frozen=True, slots=True)
class Contender:
    """One artifact in one runtime with one setting.

    Attributes:
        name: Unique within its run: "mobilenet tflite-int8", or with its setting behind it.
        model: Name of the model.
        target: "tflite", "onnx" or "openvino", or a plug-in's.
        precision: As in the manifest.
        sha256: Digest of the artifact.
        bytes: Its size.
        path: Its folder, when it was measured.
        runtime: Runtime that ran it.
        delegate: Delegate that was asked for; None leaves it to the runtime.
        threads: Threads the runtime could use.
        metric: The manifest's proven metric; None if it has none.
        parity: The manifest's parity.
        cost: The manifest's cost: multiply–accumulates, parameters.
        options: Settings of the delegate.
    """

    name: str
    model: str
    target: str
    precision: str
    sha256: str
    bytes: int
    path: str
    runtime: str
    delegate: str | None
    threads: int
    metric: Mapping[str, Any] | None = None
    parity: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def by_wall(self) -> bool:
        """Whether only wall time tells its speed: threads add up CPU time, accelerators lack it."""
        if self.runtime in _NO_CPU_CLOCK:
            return True
        return self.threads > 1 or self.delegate not in (None, "none", "reference", "xnnpack")

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        if not self.options:
            del told["options"]
        return told

    @staticmethod
    def from_json(data: Any) -> Contender:
        taken = Fields(data, "contender", DeviceError)
        contender = Contender(
            **{
                key: taken.name(key, longest=1024)
                for key in ("name", "model", "target", "precision", "path", "runtime")
            },
            sha256=taken.name("sha256", longest=64),
            bytes=taken.integer("bytes", high=2**50),
            delegate=taken.optional_name("delegate"),
            threads=taken.integer("threads", low=1, high=1024),
            metric=_checked(taken.optional_mapping("metric")),
            parity=printable(taken.mapping("parity")),
            cost=printable(taken.mapping("cost")),
            options=printable(taken.settings("options")),
        )
        taken.done()
        return contender


def _checked(metric: dict[str, Any] | None) -> Mapping[str, Any] | None:
    if metric is None:
        return None
    try:
        MetricValue.from_json(metric)
    except ArtifactError as error:
        raise DeviceError(f"contender: {error.message}") from error
    known: Mapping[str, Any] = printable(metric)
    return known


@dataclass(frozen=True, slots=True)
class Turn:
    """One fresh process of one contender in one round.

    Attributes:
        contender: Its index in the run.
        round: Counted from 0.
        position: Place in the round's order of starting, counted from 0.
        cpu: Core it was pinned to; None if it was free.
        started_s: Seconds since the run began.
        measurement: What it measured.
    """

    contender: int
    round: int
    position: int
    cpu: int | None
    started_s: float
    measurement: Measurement

    def to_json(self) -> dict[str, Any]:
        return {
            "contender": self.contender,
            "round": self.round,
            "position": self.position,
            "cpu": self.cpu,
            "started_s": round(self.started_s, 3),
            "measurement": self.measurement.to_json(),
        }

    @staticmethod
    def from_json(data: Any) -> Turn:
        taken = Fields(data, "turn", DeviceError)
        turn = Turn(
            contender=taken.integer("contender", high=MOST_CONTENDERS),
            round=taken.integer("round", high=MOST_TURNS),
            position=taken.integer("position", high=MOST_CONTENDERS),
            cpu=taken.optional_integer("cpu", high=65_535),
            started_s=taken.number("started_s", high=1e9),
            measurement=Measurement.from_json(taken.mapping("measurement")),
        )
        taken.done()
        return turn


@dataclass(frozen=True, slots=True)
class Run:
    """Contenders measured side by side, in rounds.

    Attributes:
        key: Digest of what was asked for: contenders, device and rules. A run that was ended is
            gone on with by the next one of the same key.
        command: One of `COMMANDS`.
        device: Name of the device profile.
        started: When, UTC, as ISO 8601 with seconds: "2026-11-21T23:17:28Z".
        rules: Rounds, seconds, warm-up, seed and so on.
        environment: What the device said about itself before the run; a key is None where it says
            nothing.
        contenders: In the order they were named.
        turns: Of finished rounds, in order of time.
        passes: Contender's name → pass ("memory", "ops", "energy") → its document.
    """

    key: str
    command: str
    device: str
    started: str
    rules: Mapping[str, Any]
    environment: Mapping[str, Any]
    contenders: tuple[Contender, ...]
    turns: tuple[Turn, ...] = ()
    passes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """Finished rounds."""
        return len({turn.round for turn in self.turns})

    def turns_of(self, contender: int) -> tuple[Turn, ...]:
        """Turns of one contender, in order of time."""
        return tuple(turn for turn in self.turns if turn.contender == contender)

    def measurements_of(self, contender: int) -> tuple[Measurement, ...]:
        """Measurements of one contender, in order of time."""
        return tuple(turn.measurement for turn in self.turns_of(contender))

    def with_turns(self, *turns: Turn) -> Run:
        """The run with further turns."""
        return replace(self, turns=(*self.turns, *turns))

    def to_json(self) -> dict[str, Any]:
        """The whole run, raw samples and all."""
        return {
            "format": FORMAT,
            "key": self.key,
            "command": self.command,
            "device": self.device,
            "started": self.started,
            "rules": dict(self.rules),
            "environment": dict(self.environment),
            "contenders": [contender.to_json() for contender in self.contenders],
            "turns": [turn.to_json() for turn in self.turns],
            "passes": {name: dict(found) for name, found in self.passes.items()},
        }

    @staticmethod
    def from_json(data: Any, where: str = "run") -> Run:
        """Rebuild a run that somebody else wrote.

        Raises:
            DeviceError: Another format; a key that is missing, unknown, of the wrong type or out of
                bounds; two turns of a contender in a round, or what belongs to no contender.
        """
        taken = Fields(data, where, DeviceError)
        if not taken.has("format"):
            raise DeviceError(
                f"{where}: no run: the key 'format' is missing",
                hint="edgekit profile --out FILE writes one",
            )
        number = taken.integer("format", high=10**6)
        if number != FORMAT:
            raise DeviceError(
                f"{where}: format {number} of the run; this edgekit reads {FORMAT}",
                hint="measure again with this edgekit, or read it with the one that wrote it",
            )
        run = Run(
            key=taken.name("key", longest=64),
            command=taken.text("command", choices=COMMANDS),
            device=taken.name("device"),
            started=taken.name("started", longest=40),
            rules=printable(taken.mapping("rules")),
            environment=printable(taken.mapping("environment")),
            contenders=tuple(
                Contender.from_json(one) for one in taken.items("contenders", most=MOST_CONTENDERS)
            ),
            turns=tuple(Turn.from_json(one) for one in taken.items("turns", most=MOST_TURNS)),
            passes=printable(taken.mapping("passes", {})),
        )
        taken.done()
        if not is_moment(run.started):
            raise taken.fail("started", f"{run.started!r} is no moment like 2026-11-21T23:17:28Z")
        if any(turn.contender >= len(run.contenders) for turn in run.turns):
            raise DeviceError(f"{where}: a turn belongs to a contender that is not there")
        often = Counter((turn.contender, turn.round) for turn in run.turns)
        for (contender, at), times in often.most_common(1):
            if times > 1:
                name = run.contenders[contender].name
                raise DeviceError(f"{where}: {name} has {times} turns in round {at}")
        names = [contender.name for contender in run.contenders]
        for name, found in run.passes.items():
            if name not in names or not isinstance(found, dict):
                raise taken.fail("passes", f"{name!r:.80} is no contender with its passes")
        return run


def read_run(path: Path) -> Run:
    """A run that was written to a file, by `profile --out` or by `history show --json`.

    Raises:
        DeviceError: It holds something else.
        FileError: It is too large, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise FileError(f"{path}: {size:,} bytes", limit=f"{MOST_BYTES:,} bytes for a run")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise FileError.from_os_error(error) from error
    except (ValueError, RecursionError) as error:
        raise DeviceError(
            f"{path}: not valid JSON: {error}", hint="edgekit profile --out FILE writes a run"
        ) from error
    if isinstance(data, dict):
        # What a store told of it.
        data = {key: value for key, value in data.items() if key not in ("number", "finished")}
    try:
        return Run.from_json(data, str(path))
    except DeviceError as error:
        told = error.message.removeprefix(f"{path}: ")
        raise DeviceError(f"{path}: {told}", hint=error.hint) from error


def run_key(
    command: str, device: str, rules: Mapping[str, Any], contenders: tuple[Contender, ...]
) -> str:
    """Digest of what is asked for. Where an artifact lies and what it is called don't matter."""
    told = ("sha256", "runtime", "delegate", "threads")
    return digest_json(
        {
            "format": FORMAT,
            "command": command,
            "device": device,
            "rules": dict(rules),
            "contenders": [
                {key: getattr(one, key) for key in (*told, *(["options"] if one.options else []))}
                for one in contenders
            ],
        }
    )
