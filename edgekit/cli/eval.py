"""`edgekit eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import names, output
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.verbs.evaluate import Evaluation

_SOURCES = {"keras": "Keras", "file": "the float file"}


@click.command("eval")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--dataset", metavar="NAME", help="Data set to evaluate on.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own: a folder of pictures, boxes, texts or sounds, TFRecords, or an .npz.",
)
@click.option("--samples", type=click.IntRange(1), help="How many samples.")
@click.option(
    "--device",
    default="local-cpu",
    show_default=True,
    shell_complete=names.complete_devices,
    help="Profile name, or path to a TOML file.",
)
@click.option("--runtime", help="Runtime to use instead of the device's preference.")
@click.option("--metric", help="What to measure (f1, in_scope …); by default the manifest's.")
@output.common_options
def command(
    *,
    artifact: Path,
    dataset: str | None,
    data: Path | None,
    samples: int | None,
    device: str,
    runtime: str | None,
    metric: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Measure the accuracy of ARTIFACT on a data set, on a device.

    Without --dataset or --data, the data set it was made with.
    """
    from edgekit.verbs.evaluate import evaluate

    if dataset is not None and data is not None:
        raise UsageError("--dataset and --data both say what to evaluate on", hint="give one")
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = evaluate(
            artifact,
            dataset=data if data is not None else dataset,
            samples=samples,
            device=device,
            runtime=runtime,
            metric=metric,
            report=report,
        )
    if as_json:
        output.print_json(found.to_json())
    else:
        _print(found)


def _print(found: Evaluation) -> None:
    metric = found.metric
    low, high = metric.ci95
    drop = (
        f"unknown: {found.drop_unknown}"
        if metric.drop is None
        else f"{metric.drop:+.2f} points against {_SOURCES.get(found.reference, found.reference)}"
    )
    output.print_facts(
        str(found.artifact),
        {
            metric.name: f"{metric.value:.2f} % (95 %: {low:.2f} to {high:.2f})",
            "loss": drop,
            "samples": f"{metric.samples:,} of {found.dataset}, {found.split} split",
            "ran in": f"{found.runtime} on {found.device}",
            "placement": str(found.placement),
        },
    )
