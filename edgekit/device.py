"""What a device is, as data: the contents of a `devices/<name>.toml`, typed and checked.

Reads TOML and compares it with what an agent reports. Does not find profiles (`edgekit.shelf`) and
does not reach devices (`edgekit.transports`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields, Setting

RUNTIMES_OF_TARGET = {
    "tflite": ("litert", "tflite-runtime", "litert-js", "tflite-micro", "vela", "benchmark-model"),
    "onnx": ("onnxruntime", "onnxruntime-web"),
    "openvino": ("openvino",),
}

# What `[require]` may ask for: keys of the agent's environment, compared as text without case; a
# `*` at either end stands for anything.
REQUIREMENTS = ("cpu_governor", "machine", "system", "cpu_model")


@dataclass(frozen=True, slots=True)
class TimingRules:
    """How `edgekit profile` measures on a device.

    Attributes:
        rounds: Fresh processes per artifact. From six on, the interval of the median is a 95 % one;
            from ten on, two artifacts can be compared.
        seconds: Timed calls in each process.
        warmup: Untimed calls in each process, besides the first.
        cooldown_s: Pause before each process.
    """

    rounds: int = 10
    seconds: float = 0.3
    warmup: int = 20
    cooldown_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """One device.

    Attributes:
        name: The file's name without `.toml`.
        summary: One line for listings.
        transport: Name in the entry-point group `edgekit.transports`.
        prefer: Runtimes in order of preference; empty for edgekit's own order.
        threads: Threads a runtime may compute with.
        delegate: What must execute the ops; None leaves it to the runtime.
        delegate_options: Settings of that delegate, by its own names.
        python: Interpreter that holds the runtime; None for edgekit's own ("local" only).
        timing: Rules for `edgekit profile`.
        require: Facts of the environment that must hold, or the run is refused.
        options: The table that is named like the transport; the transport checks it.
        path: The file.
    """

    name: str
    summary: str
    transport: str
    prefer: tuple[str, ...] = ()
    threads: int = 1
    delegate: str | None = None
    delegate_options: Mapping[str, Setting] = field(default_factory=dict)
    python: str | None = None
    timing: TimingRules = TimingRules()
    require: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def option_fields(self) -> Fields:
        """The transport's own table, to be read and checked; `done()` refuses what is left."""
        return Fields(self.options, f"{self.path or self.name}: {self.transport}", DeviceError)

    def runtime_for(self, target: str, wanted: str | None = None) -> str:
        """The runtime that runs artifacts of `target` here.

        Args:
            target: "tflite", "onnx" or "openvino"; a plug-in's target needs `wanted` or `prefer`.
            wanted: A runtime asked for by name: one that is known to run the target, or a
                plug-in's, which says itself what it cannot load.

        Raises:
            DeviceError: `wanted` cannot run the target, or nothing is known that can.
        """
        able = RUNTIMES_OF_TARGET.get(target)
        taken = {name for names in RUNTIMES_OF_TARGET.values() for name in names}
        if wanted is not None:
            if able is not None and wanted in taken.difference(able):
                raise DeviceError(
                    f"{wanted} cannot run {target} artifacts", hint=f"one of: {', '.join(able)}"
                )
            return wanted
        for name in self.prefer:
            # A plug-in's target runs in a plug-in's runtime.
            if name in able if able else name not in taken:
                return name
        if able and self.delegate and self.prefer and not taken.isdisjoint(self.prefer):
            raise DeviceError(
                f"{self.name}: the delegate {self.delegate!r} is of {', '.join(self.prefer)}, "
                f"which runs no {target} files",
                hint=f"edgekit export MODEL --target {self._targets()}",
            )
        if not able:
            raise DeviceError(
                f"no runtime is known for {target} artifacts",
                hint="name one with --runtime, or with runtime.prefer in the device's TOML file",
            )
        return able[0]

    def _targets(self) -> str:
        """A target whose files a preferred runtime runs."""
        return next(
            name for name, able in RUNTIMES_OF_TARGET.items() if set(able).intersection(self.prefer)
        )

    def check(self, environment: Mapping[str, Any]) -> None:
        """Compare `[require]` with what the device says.

        Raises:
            DeviceError: A required fact differs, or the device doesn't say.
        """
        for key, wanted in self.require.items():
            found = environment.get(key)
            if found is None or not _meets(str(found).lower(), wanted.lower()):
                raise DeviceError(
                    f"{self.name} is not what its profile says: {key} is "
                    f"{'unavailable' if found is None else found}, required {wanted}",
                    limit=f"require.{key} in {self.path or self.name}",
                )


def read_device_toml(path: Path) -> DeviceProfile:
    """Parse a device profile.

    Raises:
        DeviceError: The file is absent, not TOML, or a key is missing, unknown, of the wrong type
            or out of bounds; the message names file and key.
    """
    try:
        # Editors of Windows write a mark before the first line.
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError):
        raise DeviceError(
            f"{path}: no such device profile", hint="edgekit devices lists those it knows"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviceError(f"{path}: not valid TOML: {error}") from error
    fields = Fields(data, str(path), DeviceError)
    runtime, timing, usual = fields.table("runtime"), fields.table("timing"), TimingRules()
    python = fields.optional_text("python")
    delegate, delegate_options = runtime.optional_name("delegate"), runtime.settings("options")
    if delegate_options and delegate is None:
        raise runtime.fail(
            "options",
            "they belong to a delegate",
            hint="name it: runtime.delegate in the same file",
        )
    transport = fields.text("transport", longest=100)
    profile = DeviceProfile(
        name=path.stem,
        summary=fields.text("summary", "", longest=200),
        transport=transport,
        prefer=_names(runtime, "prefer"),
        threads=runtime.integer("threads", 1, low=1, high=1024),
        delegate=delegate,
        delegate_options=delegate_options,
        python=_interpreter(path, python) if python else None,
        timing=TimingRules(
            rounds=timing.integer("rounds", usual.rounds, low=1, high=1000),
            seconds=timing.number("seconds", usual.seconds, low=0.01, high=600.0),
            warmup=timing.integer("warmup", usual.warmup, high=10_000),
            cooldown_s=timing.number("cooldown_s", usual.cooldown_s, high=3600.0),
        ),
        require=_requirements(fields.table("require")),
        options=fields.mapping(transport, {}),
        path=path,
    )
    for part in (runtime, timing, fields):
        part.done()
    return profile


def _meets(found: str, wanted: str) -> bool:
    """A `*` at either end stands for anything: boards of one model have many revisions."""
    text = wanted.removeprefix("*").removesuffix("*")
    if wanted.startswith("*"):
        return text in found if wanted.endswith("*") else found.endswith(text)
    return found.startswith(text) if wanted.endswith("*") else found == wanted


def _names(runtime: Fields, key: str) -> tuple[str, ...]:
    if not runtime.has(key):
        return ()
    names = runtime.items(key, least=1, most=32)
    for name in names:
        if not isinstance(name, str) or not name:
            raise runtime.fail(key, f"{name!r} is no runtime's name")
        if names.count(name) > 1:
            raise runtime.fail(key, f"{name} stands there twice")
    return tuple(names)


def _requirements(table: Fields) -> dict[str, str]:
    found = {key: table.optional_text(key) for key in REQUIREMENTS}
    table.done()
    return {key: value for key, value in found.items() if value is not None}


def _interpreter(path: Path, python: str) -> str:
    """A relative interpreter is meant from the profile's folder; a bare name from PATH."""
    if "/" in python and not Path(python).expanduser().is_absolute():
        return str(path.parent / python)
    return str(Path(python).expanduser())
