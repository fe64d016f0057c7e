"""`edgekit export`: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import output
from edgekit.cli.names import complete_models
from edgekit.cli.types import Duration, FiniteFloat, numbers, value_range
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.mixing.search import Rescue
    from edgekit.pace import Pace
    from edgekit.verbs.export import ExportResult


_SHOWN = 6  # names of kept layers
_NEARLY_ALL = 0.9  # of the multiply-adds in float: nearly the float file


@click.command("export")
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--target", "-t", "targets", multiple=True, help="tflite, onnx, openvino; all if not given."
)
@click.option(
    "--precision",
    "-p",
    "precisions",
    multiple=True,
    help="fp32, fp16, dynamic, int4, int8 or 16x8; repeatable.",
)
@click.option("--int8", is_flag=True, help="fp32 and int8.")
@click.option("--fp16", is_flag=True, help="fp32 and fp16.")
@click.option("--dynamic", is_flag=True, help="fp32 and dynamic-range int8 weights.")
@click.option(
    "--io",
    type=click.Choice(["native", "float", "int8", "uint8"]),
    default="native",
    show_default=True,
    help="Inputs and outputs of int8 files; native keeps the model's inputs and float outputs.",
)
@click.option("--dataset", help="A known data set that the model has weights for.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own: a folder of pictures, boxes, texts or sounds, TFRecords, or an .npz.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="Your own .weights.h5.")
@click.option("--calibration-samples", type=click.IntRange(min=1), help="Samples for int8 ranges.")
@click.option("--samples", type=click.IntRange(min=1), help="Samples the metric is measured on.")
@click.option(
    "--condition/--no-condition",
    default=True,
    show_default=True,
    help="Round and correct the model for int8 before it is converted.",
)
@click.option(
    "--ranges",
    type=click.Choice(["auto", "minmax", "percentile", "mse"]),
    default="auto",
    show_default=True,
    help="Ranges of int8 activations; auto takes what does best on the calibration samples.",
)
@click.option(
    "--fix/--no-fix",
    default=True,
    show_default=True,
    help="Rewrite, without changing the function, what slows a target's int8.",
)
@click.option(
    "--timing/--no-timing",
    default=True,
    show_default=True,
    help="Time quantized artifacts against fp32 ones on this machine, some seconds a pair.",
)
@click.option("--max-drop", type=FiniteFloat(min=0), help="Points of the metric int8 may lose.")
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    default="5m",
    show_default=True,
    metavar="TIME",
    help="Time for the export and, where int8 loses too much, a search of layers to keep in float.",
)
@click.option("--no-search", is_flag=True, help="Refuse an int8 file that loses too much at once.")
@click.option(
    "--allow-drop", is_flag=True, help="Keep a file that loses too much; its manifest says so."
)
@click.option("--set", "parameters", multiple=True, metavar="KEY=VALUE", help="Model parameter.")
@click.option("--input-shape", metavar="H,W,C", help="For a model that leaves axes open.")
@click.option(
    "--input-range", metavar="LOW,HIGH", help="Pixel range a float model expects; 0,255 by default."
)
@click.option("--trust-model", is_flag=True, help="Allow code inside the file (Lambda layers).")
@click.option(
    "-o", "--out", metavar="PATH", default="build", show_default=True,
    help="Gets <name>/<target>-<precision>.",
)  # fmt: skip
@click.option("--name", help="Name of the model in --out; by default its own, or its file's.")
@click.option(
    "--metadata/--no-metadata",
    default=True,
    show_default=True,
    help="Labels, normalisation and licence inside the files, too: about 1 kB and the labels.",
)
@click.option("--force", is_flag=True, help="Convert again even if nothing changed.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@output.common_options
def command(
    model: str,
    targets: tuple[str, ...],
    precisions: tuple[str, ...],
    int8: bool,
    fp16: bool,
    dynamic: bool,
    parameters: tuple[str, ...],
    input_shape: str | None,
    input_range: str | None,
    samples: int | None,
    out: str,
    budget_s: float,
    no_search: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Convert MODEL to artifacts, each proven against it.

    MODEL is the name of a reference model (edgekit models), a model folder, a .keras, a .h5 or a
    SavedModel. Every artifact is reopened in its own runtime and compared with the source; one that
    misses a limit is not written.
    """
    from edgekit.spec import parse_settings
    from edgekit.verbs.export import ExportRequest, export, plan_export

    if not out:
        raise UsageError("--out is empty", hint="--out . means the folder you are in")
    sugar = [name for name, on in (("fp16", fp16), ("dynamic", dynamic), ("int8", int8)) if on]
    request = ExportRequest(
        model=model,
        targets=targets,
        precisions=(*precisions, *(["fp32", *sugar] if sugar or not precisions else [])),
        evaluation_samples=samples,
        out=Path(out),
        budget_s=None if no_search else budget_s,
        parameters=parse_settings(parameters),
        input_shape=numbers("--input-shape", input_shape, int) if input_shape else None,
        input_range=value_range(input_range) if input_range else None,
        **options,
    )
    if dry_run:
        _print_plan(plan_export(request)[1].to_json(), as_json=as_json)
        return
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = export(request, report=report)
    if as_json:
        output.print_json(result.to_json())
    else:
        if result.artifacts:
            _print_table(result)
            _print_kept(result)
        output.print_warnings(_warnings(result, fix=request.fix))
    output.print_warnings(_losses(result))
    output.raise_failures(result.failures, len(result.artifacts))


def _print_plan(steps: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"plan": steps})
        return
    rows = [
        (
            step["step"],
            " → ".join(step["chain"]),
            "TensorFlow" if step["tensorflow"] else "light",
            "yes" if step["calibration"] else "no",
            "yes" if step["artifact"] else "no, a step",
        )
        for step in steps
    ]
    output.print_table("", ("step", "chain", "process", "calibration", "artifact"), rows)


def _print_table(result: ExportResult) -> None:
    from edgekit.metrics import tells_labels

    name = next((a.manifest.metric["name"] for a in result.artifacts if a.manifest.metric), None)
    labelled = ("same label",) if tells_labels(name) else ()
    paces = {pace.label: pace for pace in result.timing}
    rows = []
    for artifact in result.artifacts:
        parity = artifact.manifest.parity
        path = str(artifact.path)
        if artifact.manifest.kept:
            path += f" ({artifact.manifest.shown_precision})"
        row = [path, output.megabytes(artifact.bytes)]
        if metric := artifact.manifest.metric:
            low, high = metric["drop_ci95"]
            row += [
                output.figure(metric, metric["reference"]),
                output.figure(metric, metric["value"]),
            ]
            missed = artifact.manifest.gate is not None and not artifact.manifest.gate["met"]
            row += [f"{metric['drop']:+.2f} [{low:+.2f}, {high:+.2f}]{' missed' if missed else ''}"]
        row += [str(paces.get(artifact.label, ""))] if paces else []
        same = (f"{parity.top1_agreement:.2%}",) if labelled else ()
        rows.append((*row, f"{parity.max_abs:.2g}", *same))
    measured = (f"{name} source", name, "drop [95 %]") if name else ()
    timed = ("time / fp32 [95 %]",) if paces else ()
    columns = ("artifact", "size", *measured, *timed, "max diff", *labelled)
    output.print_table("", columns, rows)
    made = result.made
    count = f"{len(rows)} artifact{'s' if len(rows) != 1 else ''}"
    click.echo(f"{count}, {'nothing changed' if made.cached else f'{made.seconds:.1f} s'}")


def _warnings(result: ExportResult, *, fix: bool) -> list[str]:
    """What the linter found and no rewrite cured, rewrites that were dropped, slow artifacts."""
    cured = {entry.name for entry in result.rewrites if not entry.problem}
    lines = []
    for finding in result.findings:
        if finding.fix not in cured:
            offer = "; --fix rewrites it" if finding.fix and not fix else ""
            lines.append(f"{finding}{offer}")
    lines += [str(entry) for entry in result.rewrites if entry.problem]
    lines += result.made.concerns
    kept = {artifact.label for artifact in result.artifacts if artifact.manifest.kept}
    for pace in result.timing:
        if pace.slower and pace.label not in kept:  # of those `_float_alike` speaks
            fixes = [f for f in result.findings if f.fix and pace.target in f.targets and not fix]
            other = "fp16" if pace.label.endswith("-dynamic") else "dynamic (-p dynamic) or fp16"
            offer = "--fix rewrites it" if fixes else f"{other} may pay more"
            lines.append(
                f"{pace.label} is slower than fp32 here, {pace} of its time: "
                f"{pace.why_slower()}; {offer}"
            )
    return lines


def _print_kept(result: ExportResult) -> None:
    """What was kept in float, and what that costs."""
    for artifact in result.artifacts:
        manifest = artifact.manifest
        if not manifest.kept:
            continue
        share = sum(layer["share"] for layer in manifest.kept)
        count = len(manifest.kept)
        rescue = result.rescued.get(artifact.label)
        of = manifest.search["layers"] if manifest.search else "?"
        text = f"{artifact.label}: {count} of {of} layers kept in float32, {share:.0%} of the "
        text += "multiply-adds"
        if rescue and rescue.cost:
            text += f": {rescue.cost}"
        click.echo(text)
        names = [layer["name"] for layer in manifest.kept]
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        click.echo(f"  {', '.join(names[:_SHOWN])}{more}")


def _losses(result: ExportResult) -> list[str]:
    """Artifacts that miss their gate, or keep it by being nearly the float file."""
    from edgekit.parity import told_apart

    lines = _float_alike(result)
    for artifact in result.artifacts:
        gate, metric = artifact.manifest.gate, artifact.manifest.metric
        if gate and metric and not gate["met"]:
            drop, limit = told_apart(metric["drop"], gate["max_drop"])
            lines.append(
                f"{artifact.label} loses {drop} {metric.get('unit', 'points')} of "
                f"{metric['name']}, more than the limit of {limit}; --allow-drop kept it"
            )
    return lines


def _float_alike(result: ExportResult) -> list[str]:
    """Mixed files whose multiply-adds are in float nearly all, or that are no faster than fp32."""
    paces = {pace.label: pace for pace in result.timing}
    lines = []
    for artifact in result.artifacts:
        kept = artifact.manifest.kept
        share = sum(layer["share"] for layer in kept)
        speed = _no_faster(paces.get(artifact.label), result.rescued.get(artifact.label))
        if kept and (share >= _NEARLY_ALL or speed):
            layers = f"{len(kept)} layers in float" if len(kept) > 1 else "1 layer in float"
            lines.append(
                f"{artifact.label} is nearly the float file: {layers}, {share:.0%} of the "
                f"multiply-adds{speed}; fp32 or fp16 is the better one"
                if share >= _NEARLY_ALL
                else f"{artifact.label} with {layers}, {share:.0%} of the multiply-adds, is no "
                f"faster than the float file{speed}; fp32 or fp16 is the better one"
            )
    return lines


def _no_faster(pace: Pace | None, rescue: Rescue | None) -> str:
    """What a mixed file takes beside fp32, where that is as much; empty where it is less."""
    if pace is not None:
        return f", {pace} of fp32's time" if pace.ratio >= 1 else ""
    if rescue is not None and rescue.cost is not None and not rescue.cost.pays:
        return f", {rescue.cost.mixed_ms:.2f} ms where fp32 takes {rescue.cost.fp32_ms:.2f} ms"
    return ""
