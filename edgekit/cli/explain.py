"""`edgekit explain`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edgekit.cli import output
from edgekit.cli.names import complete_datasets, complete_devices, complete_models

if TYPE_CHECKING:
    from edgekit.quantization.explain.comparing import Compared
    from edgekit.quantization.explain.explanation import Explanation

_COLUMNS = ("layer", "op", "alone dB", "noise", "so far dB", "bias", "noisy", "found by")
_OF_LAYERS = (
    "model", "dataset", "data", "weights", "samples", "fix", "picture", "parameters", "trust_model",
)  # fmt: skip
_BAR, _QUIET_DB = 12, 60.0
_OP = 30
_BY_ITSELF = "edgekit export does it for int8, where it can; --no-fix leaves it out"


@click.command("explain")
@click.argument("what", metavar="ARTIFACT|MODEL", shell_complete=complete_models)
@click.option(
    "--model", shell_complete=complete_models, help="What the artifact was made from, by path."
)
@click.option(
    "--dataset", metavar="NAME", shell_complete=complete_datasets, help="Data set to compare on."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own: a folder of pictures, boxes, texts or sounds, TFRecords, or an .npz.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="Your own .weights.h5.")
@click.option(
    "--samples", type=click.IntRange(2), default=32, show_default=True, help="Samples to compare."
)
@click.option(
    "--top", type=click.IntRange(1), default=15, show_default=True, help="Layers in the table."
)
@click.option(
    "--fix", is_flag=True, help="Rewrite what can be, and say what it gave; export ARTIFACT again."
)
@click.option(
    "--device",
    shell_complete=complete_devices,
    help="Say instead where its ops run on this device: what its delegate leaves to others.",
)
@click.option("--runtime", help="With --device: runtime to use instead of its preference.")
@click.option("--picture", type=click.Path(path_type=Path), help="A .png or .svg of all layers.")
@click.option("--set", "parameters", multiple=True, metavar="KEY=VALUE", help="Model parameter.")
@click.option("--trust-model", is_flag=True, help="Allow code inside the file (Lambda layers).")
@output.common_options
def command(
    *,
    what: str,
    model: str | None,
    dataset: str | None,
    data: Path | None,
    weights: Path | None,
    samples: int,
    top: int,
    fix: bool,
    device: str | None,
    runtime: str | None,
    picture: Path | None,
    parameters: tuple[str, ...],
    trust_model: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Say which layer of ARTIFACT loses accuracy, and what invites it.

    Every layer of the file is compared with the same layer of its float source, and the float graph
    is searched for what 8 bits pay for. Of a MODEL only the latter is done. With --device it says
    instead which ops of the file run where there: the first that a delegate does not take, the
    transfers that causes, and the rewrite that would spare them.
    """
    from edgekit.errors import UsageError
    from edgekit.picture import check_picture
    from edgekit.quantization.explain.picture import draw_layers
    from edgekit.spec import parse_settings
    from edgekit.verbs.explain import ExplainRequest, artifact_at, explain, means_artifact

    if device is not None or runtime is not None:
        _explain_placement(
            what, device, runtime, top, as_json=as_json, quiet=quiet, verbose=verbose
        )
        return
    if dataset is not None and data is not None:
        raise UsageError("--dataset and --data both say what to compare on", hint="give one")
    if picture is not None:
        check_picture(picture, "drawing layers")
        if not means_artifact(what):
            raise UsageError("--picture draws the layers of an artifact; a model has none yet")
    request = ExplainRequest(
        what,
        model=model,
        dataset=dataset,
        data=data,
        weights=weights,
        samples=samples,
        parameters=parse_settings(parameters),
        trust_model=trust_model,
        fix=fix,
    )
    artifact = artifact_at(what) if fix else None
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        if artifact is not None:
            from edgekit.cli.fixing import fix_artifact, print_fixed

            fixed = fix_artifact(artifact, request, report)
        else:
            found = explain(request, report=report)
    if artifact is not None:
        output.print_json(fixed.to_json()) if as_json else print_fixed(fixed)
        return
    if picture is not None and found.artifact is not None:
        draw_layers(f"{found.model} {found.artifact.label}", found.layers, picture)
    if as_json:
        output.print_json(found.to_json())
    else:
        _print(found, top, fixed=fix)


def _explain_placement(
    what: str,
    device: str | None,
    runtime: str | None,
    top: int,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from edgekit.cli.placing import print_placement
    from edgekit.errors import UsageError
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.placement import explain_placement

    if device is None:
        raise UsageError("--runtime goes with --device", hint="edgekit devices lists devices")
    # What compares layers compares nothing here.
    context = click.get_current_context()
    for name in _OF_LAYERS:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--" + {"parameters": "set", "trust_model": "trust-model"}.get(name, name)
            raise UsageError(
                f"{option} compares layers; --device says where ops run", hint="give one of them"
            )
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = explain_placement(parse(what), device=device, runtime=runtime, report=report)
    if as_json:
        output.print_json(found.to_json())
    else:
        print_placement(found, top)


def _print(found: Explanation, top: int, *, fixed: bool) -> None:
    if found.artifact is not None:
        _print_layers(found, top)
    if not found.findings:
        click.echo(f"float graph of {found.model}: nothing that 8 bits would pay for was found")
    for finding in found.findings:
        output.print_facts(
            f"{finding.rule}: {', '.join(finding.ops[:3])}"
            + (f" and {len(finding.ops) - 3} more" if len(finding.ops) > 3 else ""),
            {
                "figure": finding.figure,
                "why": f"{finding.why} ({', '.join(finding.targets)})",
                "rewrite": finding.rewrite,
                "fix": _BY_ITSELF if finding.fix else "by hand: nothing does it by itself",
            },
        )
    for entry in found.rewrites:
        click.echo(f"rewritten: {entry}")
    if fixed and not found.rewrites:
        click.echo("rewritten: nothing; no rewrite applies to this graph")


def _print_layers(found: Explanation, top: int) -> None:
    assert found.artifact is not None
    shown = found.layers[:top]
    output.print_table(
        f"{found.model} {found.artifact.label}: {len(found.layers)} layers against the float "
        f"graph, {found.samples} samples of {found.drawn_from}",
        _COLUMNS,
        [_cells(entry) for entry in shown],
    )
    rest = found.layers[top:]
    if rest and rest[0].alone is not None:
        click.echo(f"and {len(rest)} layers of {rest[0].alone.snr_db:.1f} dB or more alone")
    for why, entries in _by_reason(found.unmatched).items():
        names = ", ".join(entry.shown for entry in entries)
        click.echo(f"not compared, {len(entries)}: {why}: {names}")
    if found.left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left_out.items()))
        click.echo(f"left out, since they compute nothing real: {kinds}")
    click.echo(
        "alone: against the float layer fed with what the file's layers before it gave; so far: "
        "against the\nfloat graph; bias: mean error of channels / spread of the values, so far; "
        "noisy: channels of less\nthan 10 dB by themselves, so far. Read with its layers, the file "
        f"gives outputs within {found.apart:.2g} of the\nlargest that it gives without."
    )


def _by_reason(entries: Sequence[Compared]) -> dict[str, list[Compared]]:
    found: dict[str, list[Compared]] = {}
    for entry in entries:
        found.setdefault(f"{entry.layer.op}: {entry.how}", []).append(entry)
    return found


def _cells(entry: Compared) -> tuple[str, ...]:
    assert entry.alone is not None
    assert entry.whole is not None
    op = entry.layer.op
    loud = 1.0 - max(0.0, min(1.0, entry.alone.snr_db / _QUIET_DB))
    bias = "" if entry.whole.bias is None else f"{entry.whole.bias:.4f}"
    how = entry.how if entry.how == "name" else f"{entry.how}, {entry.concordance:.3f}"
    return (
        entry.shown,
        op if len(op) <= _OP else f"{op[: _OP - 1]}…",
        f"{entry.alone.snr_db:.1f}",
        "█" * round(_BAR * loud),
        f"{entry.whole.snr_db:.1f}",
        bias,
        f"{entry.whole.noisy}/{entry.whole.channels}",
        how,
    )
