"""`edgekit models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgekit.cli import names, output

if TYPE_CHECKING:
    from edgekit.verbs.listing import ModelEntry


@click.command("models")
@click.argument("model", required=False, shell_complete=names.complete_models)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(model: str | None, as_json: bool) -> None:
    """List the models that edgekit knows, or describe one.

    MODEL is a name, or the path of a model folder.
    """
    from edgekit.verbs import listing

    if model is not None:
        entry = listing.describe_model(model)
        if as_json:
            output.print_json(entry.to_json())
        else:
            output.print_facts(entry.spec.name, _facts(entry))
        return
    found = listing.list_models()
    if as_json:
        output.print_json(found.to_json())
    else:
        columns = ("model", "task", "values", "multiply-adds", "weights for", "size", "metric")
        output.print_table("", columns, [_row(entry) for entry in found.models])
        output.print_warnings(found.broken)


def _row(entry: ModelEntry) -> tuple[str | None, ...]:
    spec = entry.spec
    return (
        spec.name,
        spec.task,
        f"{spec.size.parameters:,}" if spec.size else None,
        f"{spec.size.multiply_adds:,}" if spec.size else None,
        ", ".join(entry.checkpoints) or None,
        output.megabytes(sum(entry.checkpoints.values())) if entry.checkpoints else None,
        spec.metric,
    )


def _parameters(entry: ModelEntry) -> str:
    return ", ".join(f"{key}={value}" for key, value in entry.spec.parameters.items())


def _facts(entry: ModelEntry) -> dict[str, str]:
    from edgekit.metrics import METRICS, POINTS

    spec = entry.spec
    metric = METRICS.get(spec.metric)
    unit = (metric.scale if metric else POINTS).unit
    facts = {"summary": spec.summary, "task": spec.task, "parameters": _parameters(entry)}
    for one in spec.inputs:
        low, high = one.range
        size = "×".join(str(axis) for axis in one.shape)
        kind = " ".join(part for part in (one.dtype, size, one.layout) if part)
        facts[f"input {one.name}"] = f"{kind}, {low:g} to {high:g}"
    weights = (f"{name} ({output.megabytes(size)})" for name, size in entry.checkpoints.items())
    if spec.size:
        facts["weights"] = f"{spec.size.parameters:,} values"
        facts["multiply-adds"] = f"{spec.size.multiply_adds:,} a sample"
    facts |= {
        "outputs": ", ".join(spec.outputs),
        "weights for": ", ".join(weights) or "no data set yet: edgekit train",
        "metric": spec.metric,
        "gate": f"at most {spec.gate.max_drop:g} {unit} lost, over {spec.gate.samples} samples",
        "source": spec.source,
        "licence": spec.licence,
        "folder": str(entry.folder),
    }
    return {label: fact for label, fact in facts.items() if fact}
