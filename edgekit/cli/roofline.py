"""`edgekit roofline`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import output
from edgekit.summary import ENOUGH_PROCESSES

if TYPE_CHECKING:
    from edgekit.roofline.limits import Machine, Peak, Rate
    from edgekit.roofline.shares import Row
    from edgekit.verbs.roofline import RooflineResult

_LIMITS = ("threads", "limit", "a second", "processes", "reached by")
_COLUMNS = (
    "artifact", "MMACs", "arithmetic", "MB moved", "ops/byte", "bound by", "limit ms",
    "measured ms", "share %",
)  # fmt: skip


@click.command("roofline")
@click.argument("artifact", nargs=-1)
@click.option("--runtime", help="Runtime to use instead of the usual one.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the runtime.")
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Take latencies from this file of `edgekit profile --out`.",
)
@click.option("--anew", is_flag=True, help="Measure latencies even where a run is kept.")
@click.option("--fresh", is_flag=True, help="Measure the machine even if its limits are known.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=9,
    show_default=True,
    help="Fresh processes for each figure that is measured.",
)
@click.option("--picture", type=click.Path(path_type=Path), help="Draw it: a .svg or .png file.")
@output.common_options
def command(
    *,
    artifact: tuple[str, ...],
    runtime: str | None,
    threads: int | None,
    run: Path | None,
    anew: bool,
    fresh: bool,
    rounds: int,
    picture: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Measure this machine's limits and what share ARTIFACTs reach.

    ARTIFACT is an artifact's folder, or a folder that holds some, like build/mobilenet; with
    settings of its own as build/mobilenet/tflite-int8@threads=2. Latencies are those of the newest
    run that is kept (edgekit history); what has none is measured. Without ARTIFACT, only the
    machine's limits are printed.
    """
    from edgekit.measuring.contenders import parse
    from edgekit.picture import check_picture
    from edgekit.roofline.probing.measuring import Effort
    from edgekit.verbs.roofline import roofline

    if picture is not None:
        check_picture(picture, "drawing the roofline")
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = roofline(
            [parse(one) for one in artifact],
            runtime=runtime,
            threads=threads,
            run=run,
            anew=anew,
            fresh=fresh,
            rounds=rounds,
            effort=Effort(processes=rounds),
            report=report,
        )
    if picture is not None:
        from edgekit.roofline.picture import draw_roofline

        draw_roofline(result.machine, result.rows, picture)
    if as_json:
        output.print_json(result.to_json())
    else:
        _print(result)
        if picture is not None:
            click.echo(f"drawn in {picture}")


def _print(result: RooflineResult) -> None:
    _print_machine(result.machine)
    if not result.rows:
        return
    click.echo()
    output.print_table("artifacts against the limits", _COLUMNS, list(map(_cells, result.rows)))
    clocks = {row.subject.measured.clock for row in result.rows if row.subject.measured}
    sources = {row.subject.measured.source: 0 for row in result.rows if row.subject.measured}
    click.echo(
        f"measured: {' or '.join(sorted(clocks))} time of invoke, median of fresh processes, from "
        f"{', '.join(sources)}\n"
        "share: least possible time over measured time; in brackets what the 95 % intervals of "
        "both leave open\n"
        "not in it: what runtimes convert and copy besides, first-level cache, anything that is "
        "not a product (docs/roofline.md)"
    )
    few = [
        row.subject.name
        for row in result.rows
        if row.subject.measured and row.subject.measured.processes < ENOUGH_PROCESSES
    ]
    if few:
        output.print_warnings(
            [f"{', '.join(few)}: too few processes for a 95 % interval; brackets hold their range"]
        )
    output.print_warnings(
        f"{row.subject.name}: {warning}" for row in result.rows for warning in row.warnings
    )


def _print_machine(machine: Machine) -> None:
    cpu = machine.environment.get("cpu_model") or "unknown processor"
    rows = []
    for limits in machine.limits.values():
        rows += [
            _limit(limits.threads, "float32", limits.fp32, "GFLOP"),
            _limit(limits.threads, "int8", limits.int8, "GOP"),
            _limit(limits.threads, "memory", limits.memory, "GB"),
        ]
        if limits.bandwidth:
            best = max(limits.bandwidth.values(), key=lambda rate: rate.per_s)
            rows.append(_limit(limits.threads, "cache", best, "GB"))
    load = machine.environment.get("load_1min")
    busy = "" if load is None else f", load {load:g} before"
    output.print_table(f"{cpu}, limits of {machine.measured}{busy}", _LIMITS, rows)
    for note in machine.notes:
        click.echo(note)
    counts = {rate.processes for rate in _rates(machine)}
    if counts and min(counts) < ENOUGH_PROCESSES:
        click.echo("in brackets only the range: too few processes for a 95 % interval")


def _rates(machine: Machine) -> list[Rate]:
    from edgekit.roofline.limits import Rate

    peaks = [peak for one in machine.limits.values() for peak in (one.fp32, one.int8, one.memory)]
    return [peak for peak in peaks if isinstance(peak, Rate)]


def _limit(threads: int, name: str, peak: Peak, unit: str) -> tuple[Any, ...]:
    from edgekit.roofline.limits import Rate

    if not isinstance(peak, Rate):
        return threads, name, str(peak), None, None
    low, high = (bound / 1e9 for bound in peak.ci95)
    figure = f"{peak.per_s / 1e9:.1f} {unit} [{low:.1f}, {high:.1f}]"
    return threads, name, figure, peak.processes, peak.by


def _cells(row: Row) -> tuple[str | None, ...]:
    from edgekit.roofline.shares import Figure, by_arithmetic

    subject = row.subject
    counted, measured = subject.counted, subject.measured
    intensity = counted.intensity
    threads = subject.limits.threads
    several = f", {threads} threads" if threads > 1 and "threads" not in subject.name else ""
    return (
        subject.name + several,
        f"{counted.macs / 1e6:.2f}",
        _parts(by_arithmetic(counted)),
        f"{counted.bytes / 1e6:.2f}",
        None if intensity is None else f"{intensity:.1f}",
        f"{row.bound} {row.bound_share:.0%}" if row.bound else None,
        _figure(row.limit_ms) if isinstance(row.limit_ms, Figure) else str(row.limit_ms),
        _figure(measured.ms) if measured else None,
        _percent(row.share) if row.share else None,
    )


def _parts(macs: Mapping[str, int]) -> str | None:
    """`int8`, or with shares where there are several: `float32 98 %, int8 2 %`."""
    if len(macs) < 2:
        return next(iter(macs), None)
    total = sum(macs.values())
    return ", ".join(f"{name} {count / total:.0%}" for name, count in macs.items())


def _figure(figure: Any) -> str:
    low, high = figure.ci95
    return f"{figure.value:.3g} [{low:.3g}, {high:.3g}]"


def _percent(figure: Any) -> str:
    low, high = figure.ci95
    return f"{100 * figure.value:.0f} [{100 * low:.0f}, {100 * high:.0f}]"
