"""What `edgekit profile` prints of devices that estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgekit.cli import output

if TYPE_CHECKING:
    from edgekit.verbs.estimate import EstimateResult, EstimateRow

_COLUMNS = (
    "device", "estimate ms", "cycles", "MHz", "SRAM KiB", "DRAM KiB", "flash KiB", "on NPU",
    "CPU ops",
)  # fmt: skip


def print_estimates(result: EstimateResult) -> None:
    """Print a table of all rows, and below it what the figures are and are not."""
    if not result.rows:
        return
    names = {_name(row) for row in result.rows}
    title = f"{names.pop()}: " if len(names) == 1 else ""
    alone = bool(title)
    compilers = sorted({row.estimate.compiler for row in result.rows})
    columns = _COLUMNS if alone else ("artifact", *_COLUMNS)
    rows = [_cells(row) if alone else (_name(row), *_cells(row)) for row in result.rows]
    output.print_table(f"{title}estimates by {', '.join(compilers)}, batch 1", columns, rows)
    click.echo(
        "nothing was run: cycles and times are the compiler's model of the NPU and its memories\n"
        "on NPU: operations as compiled. CPU ops run beside the NPU; their time is not in the "
        "estimate"
    )
    for system in sorted({_system(row) for row in result.rows}):
        click.echo(system)
    told = dict.fromkeys(reason for row in result.rows for reason in row.estimate.reasons)
    for reason in list(told)[:5]:
        click.echo(f"on the CPU: {reason}")
    written = [row.layers_file for row in result.rows if row.layers_file]
    if written:
        one = written[0]
        click.echo(
            f"layers: {one if len(written) == 1 else f'{len(written)} files in {one.parent}'}"
        )


def _name(row: EstimateRow) -> str:
    return f"{row.artifact.manifest.model} {row.artifact.label}"


def _system(row: EstimateRow) -> str:
    found = row.estimate
    family = found.accelerator.rpartition("-")[0]
    return f"{family}: {found.system}, {found.memory}"


def _cells(row: EstimateRow) -> tuple[str | None, ...]:
    found = row.estimate
    kept = ", ".join(f"{op} {count}" for op, count in found.cpu_ops.items())
    return (
        row.device,
        f"{found.inference_ms:.3g}",
        f"{found.cycles:,}",
        f"{found.clock_hz / 1e6:g}",
        f"{found.sram_bytes / 1024:.1f}",
        f"{found.dram_bytes / 1024:.1f}" if found.dram_bytes else None,
        f"{found.flash_bytes / 1024:.1f}" if found.flash_bytes else None,
        f"{found.npu_ops}/{len(found.layers)} ({100 * found.npu_share:.0f} %)",
        kept or None,
    )
