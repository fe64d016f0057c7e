"""`edgekit profile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import names, output
from edgekit.cli.types import FiniteFloat
from edgekit.measure import ENOUGH_PROCESSES

if TYPE_CHECKING:
    from edgekit.verbs.profile import ProfileResult, Row

_COLUMNS = (
    "artifact", "MB", "accuracy %", "drop", "parity", "median ms", "peak MB", "placement",
)  # fmt: skip


@click.command("profile")
@click.argument("artifact", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--device",
    default="local-cpu",
    show_default=True,
    shell_complete=names.complete_devices,
    help="Profile name, or path to a TOML file.",
)
@click.option("--runtime", help="Runtime to use instead of the device's preference.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the runtime.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Fresh processes per artifact.")
@click.option("--seconds", type=FiniteFloat(0.01, 600), help="Timed calls in each process.")
@click.option("--seed", default=0, show_default=True, help="Of the order and the cores.")
@click.option("--out", type=click.Path(path_type=Path), help="File for the raw samples.")
@output.common_options
def command(
    *,
    artifact: tuple[Path, ...],
    device: str,
    runtime: str | None,
    threads: int | None,
    rounds: int | None,
    seconds: float | None,
    seed: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Measure latency, memory and accuracy of ARTIFACTs on a device.

    ARTIFACT is an artifact's folder, or a folder that holds some, like build/mobilenet.
    """
    from edgekit.verbs.profile import profile

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = profile(
            artifact,
            device=device,
            runtime=runtime,
            threads=threads,
            rounds=rounds,
            seconds=seconds,
            seed=seed,
            out=out,
            report=report,
        )
    if as_json:
        output.print_json(result.to_json())
    else:
        _print(result)


def _print(result: ProfileResult) -> None:
    rows = result.rows
    threads, figures = rows[0].threads, rows[0].summary
    models = sorted({row.artifact.manifest.model for row in rows})
    cpu = result.environment.get("cpu_model") or "unknown processor"
    title = f"{rows[0].device}: {cpu}, {threads} thread{'s' if threads > 1 else ''}, batch 1"
    output.print_table(
        f"{models[0]} on {title}" if len(models) == 1 else title,
        _COLUMNS,
        [_cells(row, named=len(models) > 1) for row in rows],
    )
    of_median = "95 %" if figures.processes >= ENOUGH_PROCESSES else "range only: too few processes"
    click.echo(
        f"in brackets the interval: accuracy 95 %, median {of_median}\n"
        "parity: largest difference from the source model, and how often the top-1 label is its\n"
        f"{figures.processes} processes per artifact; raw samples in {result.file}"
    )


def _cells(row: Row, *, named: bool) -> tuple[str | None, ...]:
    manifest, figures = row.artifact.manifest, row.summary
    low, high = figures.ci95_ms
    peak = figures.peak_rss_bytes
    return (
        f"{manifest.model} {row.artifact.label}" if named else row.artifact.label,
        f"{row.artifact.bytes / 1e6:.2f}",
        *_accuracy(row),
        f"{manifest.parity.max_abs:.1e}, {100 * manifest.parity.top1_agreement:.1f} %",
        f"{figures.median_ms:.3g} [{low:.3g}, {high:.3g}]",
        f"{peak / 1e6:.0f}" if peak is not None else None,
        str(row.turns[-1].measurement.placement),
    )


def _accuracy(row: Row) -> tuple[str | None, str | None]:
    """The proven metric with its interval, and what it lost against the source model."""
    metric = row.artifact.manifest.metric
    if metric is None:
        return None, None
    low, high = metric["ci95"]
    drop = metric["drop"]
    value = f"{metric['value']:.2f} [{low:.2f}, {high:.2f}]"
    return value, None if drop is None else f"{drop:.2f}"
