"""`edgekit generate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import output
from edgekit.cli.types import FiniteFloat, device_option

if TYPE_CHECKING:
    from edgekit.verbs.generate import Generated


@click.command("generate")
@click.argument("artifact", nargs=-1, required=True)
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A .png of pictures, each artifact's below the other's; of sounds a .wav, or a .png.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    help="Samples of each artifact.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="The same seed, the same random numbers, for all artifacts.",
)
@click.option(
    "--steps", type=click.IntRange(1, 100_000), help="Of diffusion; else an eighth of its times."
)
@click.option(
    "--seconds",
    type=FiniteFloat(0.001, 3600.0),
    help="Of sound.  [default: 0.1]",
)
@click.option(
    "--temperature",
    type=FiniteFloat(0.01, 100.0),
    help="Of what is drawn value by value: below 1, likely values become likelier.  [default: 1]",
)
@device_option
@output.common_options
def command(
    *,
    artifact: tuple[str, ...],
    out: Path,
    count: int,
    seed: int,
    steps: int | None,
    seconds: float | None,
    temperature: float | None,
    device: str,
    runtime: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Make pictures or sounds with ARTIFACTs.

    ARTIFACT is an artifact of a generative model, or a folder that holds some, like build/pixelcnn.
    """
    from edgekit.generating.kinds import Wishes
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.generate import generate

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        made = generate(
            [parse(one) for one in artifact],
            out=out,
            count=count,
            seed=seed,
            wishes=Wishes(steps=steps, seconds=seconds, temperature=temperature),
            device=device,
            runtime=runtime,
            report=report,
        )
    if as_json:
        if made.rows:
            output.print_json(made.to_json())
    elif made.rows:
        _print(made)
    output.raise_failures(made.failures, len(made.rows), "generated with")


def _print(made: Generated) -> None:
    output.print_table(
        f"{made.count} samples of each, {made.kind}, on {made.device}",
        ("artifact", "runtime", "calls a sample", "differs from the first %"),
        [
            (
                row.contender.name,
                row.contender.runtime,
                f"{made.calls:,}",
                None if row.differs is None else f"{100 * row.differs:.2f}",
            )
            for row in made.rows
        ],
    )
    click.echo(f"samples: {made.written}")
