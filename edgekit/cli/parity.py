"""`edgekit parity`."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING

import click

from edgekit.agreement import DIFFERENT, Limits
from edgekit.cli import names, output
from edgekit.cli.types import FiniteFloat
from edgekit.errors import EdgekitError, UsageError

if TYPE_CHECKING:
    from edgekit.verbs.parity import ParityResult, ParityRow

_COLUMNS = (
    "artifact", "device", "runtime", "outputs", "alike", "differ %", "max abs", "worst on",
    "ops ran on",
)  # fmt: skip


@click.command("parity")
@click.argument("artifact", nargs=-1, required=True)
@click.option(
    "--device",
    multiple=True,
    default=("local-cpu",),
    show_default=True,
    shell_complete=names.complete_devices,
    help="Profile name, or path to a TOML file; may be given several times.",
)
@click.option("--runtime", help="Runtime to use instead of the device's preference.")
@click.option(
    "--inputs",
    default="golden,adversarial",
    show_default=True,
    help="Which samples: those the artifact carries, saturated ones and the like.",
)
@click.option(
    "--require",
    type=click.Choice(["bit-exact", "one-step"]),
    help="Fail unless every output is that near to the reference.",
)
@click.option(
    "--max-steps", type=click.IntRange(0), help="Fail where an output on a grid is farther off."
)
@click.option(
    "--max-abs",
    type=FiniteFloat(0, 1e38),
    help="Fail where an output on no grid is farther off, in its own unit.",
)
@output.common_options
def command(
    *,
    artifact: tuple[str, ...],
    device: tuple[str, ...],
    runtime: str | None,
    inputs: str,
    require: str | None,
    max_steps: int | None,
    max_abs: float | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compare ARTIFACTs with reference kernels of the same file.

    ARTIFACT is an artifact's folder, or a folder that holds some; with settings of its own as
    build/mobilenet/tflite-int8@delegate=none. Outputs are bit-exact, within a step of the
    output's grid, or different; where ops ran stands beside it. The reference runs on this machine:
    the file's own runtime, with nothing fused and nothing delegated.

    With --require, --max-steps or --max-abs the exit status is 1 where a row is farther off.
    """
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.parity import compare_with_reference

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = compare_with_reference(
            [parse(one) for one in artifact],
            devices=device,
            runtime=runtime,
            limits=_limits(require, max_steps, max_abs),
            inputs=[kind.strip() for kind in inputs.split(",")],
            report=report,
        )
    if as_json:
        output.print_json(result.to_json())
    elif result.rows:
        _print(result)
    output.raise_failures(result.failures, len(result.rows), "compared")
    broken = [row for row in result.rows if row.broken]
    if broken:
        raise EdgekitError(
            f"{len(broken)} of {len(result.rows)} rows are farther from the reference than allowed",
            *(
                f"{one.contender.name} on {one.device}: {'; '.join(one.broken or ())}"
                for one in broken
            ),
            limit=_named(result.limits),
        )


def _limits(require: str | None, max_steps: int | None, max_abs: float | None) -> Limits:
    if require and max_steps is not None:
        raise UsageError("--require and --max-steps both limit the steps", hint="give one")
    if require == "bit-exact" and max_abs is not None:
        raise UsageError("--require bit-exact leaves nothing for --max-abs", hint="give one")
    if require == "one-step":
        max_steps = 1
    return Limits(require == "bit-exact", max_steps, max_abs)


def _named(limits: Limits) -> str:
    if limits.exact:
        return "--require bit-exact"
    given = {"--max-steps": limits.max_steps, "--max-abs": limits.max_abs}
    return ", ".join(f"{name} {value:g}" for name, value in given.items() if value is not None)


def _print(result: ParityResult) -> None:
    count = len(result.samples)
    golden = sum(name.startswith("golden") for name in result.samples)
    output.print_table(
        f"outputs against reference kernels of the same file, {count} samples",
        (*_COLUMNS, *(("verdict",) if result.limits.given else ())),
        [_cells(row, letter) for row, letter in zip(result.rows, _alike(result), strict=True)],
    )
    click.echo("alike: rows of one file with the same letter gave the same values")
    for told in sorted(set(result.references.values())):
        click.echo(f"reference: {told}, on this machine")
    if count > golden:
        click.echo(f"samples: {golden} golden; {', '.join(result.samples[golden:])}")
    for told in dict.fromkeys(_arena(row) for row in result.rows if "arena_bytes" in row.facts):
        click.echo(told)


def _alike(result: ParityResult) -> list[str]:
    """A letter for each row: of one file, the same for the same values."""
    known: dict[str, list[str]] = {}
    letters = []
    for row in result.rows:
        seen = known.setdefault(row.contender.sha256, [])
        if row.agreed.digest not in seen:
            seen.append(row.agreed.digest)
        place = seen.index(row.agreed.digest)
        letters.append(ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1))
    return letters


def _arena(row: ParityRow) -> str:
    facts = row.facts
    return (
        f"arena of {row.contender.name}: {facts['arena_smallest_bytes']:,} bytes "
        f"at least; {facts['arena_tensor_bytes']:,} of tensors and scratch, "
        f"{facts['arena_persistent_bytes']:,} that stay (with this machine's pointers)"
    )


def _cells(row: ParityRow, letter: str) -> tuple[str | None, ...]:
    one, whole = row.contender, row.agreed.whole
    kind = whole.kind
    if kind == DIFFERENT and whole.max_steps is not None:
        kind += f" (max {whole.max_steps:,} steps)"
    elif whole.max_abs is None:
        kind += " (NaN or infinite)"
    version = row.facts.get("runtime_version")
    return (
        one.name,
        row.device,
        f"{one.runtime} {version}" if version else one.runtime,
        kind,
        letter,
        f"{100 * whole.share:.3g}",
        None if whole.max_abs is None else f"{whole.max_abs:.3g}",
        row.agreed.worst,
        str(row.placement) if row.placement else None,
        *(() if row.verdict is None else (row.verdict,)),
    )
