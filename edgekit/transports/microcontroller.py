"""Microcontrollers, by the interpreter that runs on them: correctness and memory, never latency.

tflite-micro runs on this machine, in a process of its own. What a board has (RAM for the arena,
flash for the file) is a budget in its profile: a file that needs more is refused before it runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import extras
from edgekit.agent.runtimes.tflite_micro import ARENA_VARIABLE
from edgekit.agent.runtimes.tflite_micro_arena import ENTRY
from edgekit.errors import DeviceError, EdgekitError, RuntimeFault
from edgekit.fields import Fields, printable
from edgekit.files import sha256_file
from edgekit.job import Job, JobResult
from edgekit.process import ChildCrashed, ChildFailed, run_in_child
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

RUNTIME = "tflite-micro"

_MOST_BYTES = 2 * 1024**3
_SEARCH_S = 300.0


@dataclass(frozen=True, slots=True)
class _Need:
    """Arena of one file.

    Attributes:
        smallest: The smallest that loads it, in bytes.
        told: What the interpreter says of it.
    """

    smallest: int
    told: dict[str, int]


class MicrocontrollerTransport(Transport):
    """tflite-micro on this machine, within a board's memory.

    Args:
        arena: Bytes of the arena; None for the smallest one that will do, found by search.
        ram: Bytes that the board has for it; None for no limit.
        flash: Bytes that the board has for the file; None for no limit.
        named_in: The file that names them, for complaints.
    """

    no_latency = "tflite-micro runs on this machine's processor, not on a microcontroller's"

    def __init__(
        self,
        *,
        arena: int | None = None,
        ram: int | None = None,
        flash: int | None = None,
        named_in: str | Path | None = None,
    ) -> None:
        self._arena = arena
        self._ram = ram
        self._flash = flash
        self._named_in = named_in or "the device's TOML file"
        self._needs: dict[str, _Need] = {}

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> MicrocontrollerTransport:
        """By the table `[microcontroller]`, of which every key may be left out.

        Raises:
            DeviceError: A key is unknown or wrong.
        """
        options = profile.option_fields()
        arena, ram, flash = (
            options.optional_integer(key, low=1, high=_MOST_BYTES)
            for key in ("arena", "ram", "flash")
        )
        if arena is not None and ram is not None and arena > ram:
            raise options.fail("arena", f"{arena:,} bytes are more than the {ram:,} of ram")
        options.done()
        return cls(arena=arena, ram=ram, flash=flash, named_in=profile.path)

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        if job.action == "probe":
            return self._probe()
        if job.runtime != RUNTIME:
            raise DeviceError(
                f"{job.runtime} does not run on microcontrollers", hint=f"--runtime {RUNTIME}"
            )
        model = Path(job.model)
        self._check(model.stat().st_size, self._flash, f"{job.model} has", "flash")
        need = self._need(model)
        arena = self._arena or need.smallest
        self._check(arena, self._ram, f"{job.model} needs an arena of", "ram")
        if arena < need.smallest:
            raise DeviceError(
                f"{job.model} needs an arena of {need.smallest:,} bytes, "
                f"{need.smallest - arena:,} more than it gets",
                limit=f"microcontroller.arena in {self._named_in}",
            )
        local = LocalTransport(environment={ARENA_VARIABLE: str(arena)})
        try:
            result = local.run(job, timeout_s=timeout_s)
        except RuntimeFault as fault:
            raise _own_words(fault, model) from fault
        facts = {"arena_bytes": arena, "arena_smallest_bytes": need.smallest}
        return replace(result, environment={**result.environment, **facts})

    def _probe(self) -> JobResult:
        try:
            state = {"version": version(RUNTIME)}
        except PackageNotFoundError:
            package = extras.owner_of("tflite_micro")
            assert package is not None
            raise extras.missing(package) from None
        # Whatever this machine is says nothing of a board.
        told = {"ram_bytes": self._ram, "flash_bytes": self._flash, "arena_bytes": self._arena}
        return JobResult(environment={**told, "runtimes": {RUNTIME: state}})

    def _check(self, needed: int, limit: int | None, what: str, key: str) -> None:
        if limit is not None and needed > limit:
            raise DeviceError(
                f"{what} {needed:,} bytes, {needed - limit:,} more than the board's {limit:,}",
                limit=f"microcontroller.{key} in {self._named_in}",
                hint="a smaller model, or a smaller input",
            )

    def _need(self, model: Path) -> _Need:
        """What arena a file needs; looked for once for each file."""
        digest = sha256_file(model)
        if digest not in self._needs:
            self._needs[digest] = _search(model)
        return self._needs[digest]


def _search(model: Path) -> _Need:
    try:
        answer = run_in_child(ENTRY, {"model": str(model.resolve())}, timeout_s=_SEARCH_S)
    except (ChildCrashed, ChildFailed) as error:
        raise _own_words(error, model) from error
    found = Fields(answer, "arena", DeviceError)
    need = _Need(
        smallest=found.integer("smallest_bytes", high=_MOST_BYTES),
        told={
            key: found.integer(key, high=_MOST_BYTES)
            for key in ("total_bytes", "tensor_bytes", "persistent_bytes")
        },
    )
    found.done()
    return need


def _own_words(error: EdgekitError, model: Path) -> RuntimeFault:
    """The interpreter's last words as the error, where its process was ended."""
    _, mark, ended = error.message.rpartition(" was ended by ")
    if not mark:
        hint = error.hint
        if "type UINT8" in error.message:
            hint = "edgekit export MODEL --int8 --io int8, or --io float"
        return RuntimeFault(error.message, *error.details, hint=hint)
    words = [printable(line) for line in error.details]
    last = words[-1] if words else "without a word"
    return RuntimeFault(
        f"tflite-micro aborts on {model.name}: {last}",
        f"its process was ended by {ended}",
        *words[:-1],
        hint="edgekit eval --device local-cpu runs it in LiteRT",
    )
