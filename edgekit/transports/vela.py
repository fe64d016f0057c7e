"""Run Arm's Vela in a child process, and read the two tables it writes.

Vela compiles a full-integer `.tflite` for an Ethos-U and writes what it estimates. It is run as
people run it, by its command line's own function; what it prints is kept for complaints. Knows no
device profile.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError
from edgekit.estimated import Estimate, Layer
from edgekit.fields import printable
from edgekit.process import Emit

ENTRY = "edgekit.transports.vela:handler"

_LOG = "vela.log"
_MOST_TABLE_BYTES = 64 * 1024**2
_MOST_LOG_BYTES = 4 * 1024**2
_MOST_MEMORY_BYTES = 8 * 1024**3
_LAST_WORDS = 3

_FIGURES = (
    "core_clock", "inference_time", "cycles_total", "nn_macs", "sram_memory_used",
    "dram_memory_used", "on_chip_flash_memory_used", "off_chip_flash_memory_used",
    "total_original_weights", "total_npu_encoded_weights",
)  # fmt: skip
_NAMES = ("accelerator_configuration", "system_config", "memory_mode")
_COLUMNS = (
    "Original Operator", "NNG Operator", "Target", "Staging Usage", "Peak% (Staging)", "Op Cycles",
    "Network% (cycles)", "NPU", "SRAM AC", "DRAM AC", "OnFlash AC", "OffFlash AC", "MAC Count",
    "Network% (MAC)", "Util% (MAC)", "Name",
)  # fmt: skip
_REFUSED = re.compile(r"Warning \(supported operators\) operator: ([^,]{1,100}), ofm: '(.*)'$")


def handler() -> Callable[[dict[str, Any], Emit], dict[str, Any]]:
    """For `edgekit.process`: `{"arguments": […], "folder": …}` → `{}`; tables lie in the folder.

    Raises:
        DeviceError: Vela refuses, in its own words.
    """

    def handle(payload: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        folder = Path(payload["folder"])
        _limit_memory()
        # Vela prints from Python and from C++: both go to a file that outlives a crash.
        log = os.open(folder / _LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            from ethosu.vela.vela import main
        except ImportError as error:
            raise DeviceError(f"Vela is installed and does not import: {error}") from error
        try:
            status = main([str(part) for part in payload["arguments"]])
        except SystemExit as exit_:  # argparse's answer to an option it does not know
            status = exit_.code if isinstance(exit_.code, int) else 2
        except MemoryError:
            raise DeviceError(
                f"Vela needs more than {_MOST_MEMORY_BYTES // 1024**3} GiB of memory"
            ) from None
        except Exception as error:
            # Vela's own errors keep their sentence apart from its repr.
            told = getattr(error, "error_msg", None) or str(error) or type(error).__name__
            raise DeviceError(f"Vela refuses: {_one_line(str(told))}") from error
        if status:
            raise DeviceError("Vela refuses the file", *last_words(folder))
        return {}

    return handle


def last_words(folder: Path) -> tuple[str, ...]:
    """The last lines that Vela printed."""
    return tuple(_log_lines(folder)[-_LAST_WORDS:])


def read(folder: Path, stem: str, *, compiler: str, accelerator: str) -> Estimate:
    """What Vela wrote into `folder`.

    Args:
        folder: Of one compilation; the names of the tables tell no accelerator.
        stem: Name of the model file without its ending.
        compiler: Name and version of Vela.
        accelerator: Which was asked for.

    Raises:
        DeviceError: A table is missing, too large, has other columns than known, values that are no
            numbers, or is of another accelerator.
    """
    found = sorted(folder.glob(f"{_literal(stem)}_summary_*.csv"))
    if len(found) != 1:
        raise _other_version(compiler, f"it wrote {len(found)} summaries")
    summary = _summary(found[0], compiler)
    built_for = summary["accelerator_configuration"].lower().replace("_", "-")
    if built_for != accelerator:
        raise _other_version(compiler, f"its summary is of {built_for}, not {accelerator}")
    number = _Numbers(summary, compiler)
    clock = number("core_clock")
    if clock < 1:
        raise _other_version(compiler, f"its summary has a clock of {clock:g} Hz")
    return Estimate(
        compiler=compiler,
        accelerator=accelerator,
        system=summary["system_config"],
        memory=summary["memory_mode"],
        clock_hz=clock,
        cycles=round(number("cycles_total")),
        sram_bytes=number.kibibytes("sram_memory_used"),
        dram_bytes=number.kibibytes("dram_memory_used"),
        on_chip_flash_bytes=number.kibibytes("on_chip_flash_memory_used"),
        off_chip_flash_bytes=number.kibibytes("off_chip_flash_memory_used"),
        macs=round(number("nn_macs")),
        weight_bytes=round(number("total_original_weights")),
        encoded_bytes=round(number("total_npu_encoded_weights")),
        layers=_layers(folder / f"{stem}_per-layer.csv", compiler),
        reasons=_reasons(folder),
    )


def _summary(path: Path, compiler: str) -> dict[str, str]:
    rows = list(csv.reader(_text(path, compiler).splitlines()))
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        raise _other_version(compiler, f"{path.name} has {len(rows)} rows instead of 2 of a length")
    summary = dict(zip(*rows, strict=True))
    missing = [column for column in (*_FIGURES, *_NAMES) if column not in summary]
    if missing:
        raise _other_version(compiler, f"{path.name} has no column {missing[0]!r}")
    return {column: printable(summary[column])[:255] for column in summary}


def _layers(path: Path, compiler: str) -> tuple[Layer, ...]:
    header, *lines = _text(path, compiler).splitlines() or [""]
    if header.split(",") != list(_COLUMNS):
        raise _other_version(compiler, f"{path.name} has other columns: {header[:200]}")
    layers = []
    for line in lines:
        # Nothing is quoted there; the name, which alone may hold commas, comes last.
        cells = line.split(",", len(_COLUMNS) - 1)
        if len(cells) != len(_COLUMNS):
            raise _other_version(compiler, f"{path.name} has a row of {len(cells)} cells")
        row = dict(zip(_COLUMNS, cells, strict=True))
        if row["Target"] not in ("NPU", "CPU"):
            raise _other_version(compiler, f"{path.name}: an operation runs on {row['Target']!r}")
        number = _Numbers(row, compiler)
        layers.append(
            Layer(
                op=printable(row["Original Operator"]),
                compiled=printable(row["NNG Operator"]),
                name=printable(row["Name"]),
                on_npu=row["Target"] == "NPU",
                cycles=round(number("Op Cycles")),
                npu_cycles=round(number("NPU")),
                sram_cycles=round(number("SRAM AC")),
                dram_cycles=round(number("DRAM AC")),
                on_chip_flash_cycles=round(number("OnFlash AC")),
                off_chip_flash_cycles=round(number("OffFlash AC")),
                macs=round(number("MAC Count")),
                staging_bytes=round(number("Staging Usage")),
            )
        )
    return tuple(layers)


def _reasons(folder: Path) -> tuple[str, ...]:
    """Why operators stay off the accelerator, each once: the line that follows the warning."""
    lines = _log_lines(folder)
    told: dict[str, None] = {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if refused := _REFUSED.match(line):
            reason = after.strip().removeprefix("Reason: ") or "no reason given"
            # A tensor's name at the end makes equal reasons differ.
            alike = re.sub(r" \(.*\)$", "", reason)
            told[f"{refused[1]}: {alike[:400]}"] = None
    return tuple(told)


class _Numbers:
    """Figures of a row, from text; each not negative, and finite."""

    def __init__(self, row: Mapping[str, str], compiler: str) -> None:
        self._row = row
        self._compiler = compiler

    def __call__(self, column: str) -> float:
        try:
            value = float(self._row[column])
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1e18:
            text = self._row[column][:40]
            raise _other_version(self._compiler, f"{text!r} is no figure of {column!r}")
        return value

    def kibibytes(self, column: str) -> int:
        return round(1024 * self(column))


def _text(path: Path, compiler: str) -> str:
    try:
        if path.stat().st_size > _MOST_TABLE_BYTES:
            raise DeviceError(
                f"{compiler} wrote {path.name} of {path.stat().st_size:,} bytes",
                limit=f"{_MOST_TABLE_BYTES:,} bytes for a table",
            )
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise _other_version(compiler, f"it wrote no {path.name}") from None


def _log_lines(folder: Path) -> Sequence[str]:
    try:
        with (folder / _LOG).open("rb") as stream:
            text = stream.read(_MOST_LOG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [printable(line.strip())[:500] for line in text.splitlines() if line.strip()]


def _other_version(compiler: str, what: str) -> DeviceError:
    return DeviceError(
        f"{compiler} answered in a form that edgekit does not know: {what}",
        hint="use the version of ethos-u-vela that edgekit's extra `ethos-u` asks for",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _literal(stem: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", stem)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = _MOST_MEMORY_BYTES if hard < 0 else min(hard, _MOST_MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
