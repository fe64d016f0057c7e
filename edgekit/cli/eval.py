"""`edgekit eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import output
from edgekit.cli.types import FiniteFloat, device_option
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.batching import Resumed
    from edgekit.metrics.differences import Difference
    from edgekit.verbs.evaluate import Evaluation, Evaluations

_SOURCES = {"keras": "Keras", "file": "the float file"}


@click.command("eval")
@click.argument("artifact", nargs=-1, required=True)
@click.option("--dataset", metavar="NAME", help="Data set to evaluate on.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own: a folder of pictures, boxes, texts or sounds, TFRecords, or an .npz.",
)
@click.option("--samples", type=click.IntRange(1), help="How many samples.")
@device_option
@click.option("--metric", help="What to measure (f1, in_scope …); by default the manifest's.")
@click.option(
    "--against",
    metavar="ARTIFACT",
    help="What the others are compared with, instead of the first; eval:7 is one that was kept.",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Ask the device for every sample; answers kept of an earlier call are forgotten.",
)
@click.option("--pairs", is_flag=True, help="Compare every two artifacts.")
@click.option(
    "--margin",
    type=FiniteFloat(0.01, 100),
    default=1.0,
    show_default=True,
    help="Points of the metric that do not matter.",
)
@output.common_options
def command(
    *,
    artifact: tuple[str, ...],
    dataset: str | None,
    data: Path | None,
    samples: int | None,
    device: str,
    runtime: str | None,
    metric: str | None,
    against: str | None,
    pairs: bool,
    margin: float,
    fresh: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Measure the accuracy of ARTIFACTs on a data set, on a device.

    ARTIFACT is an artifact's folder, or a folder that holds some, like build/mobilenet; settings of
    its own may follow: build/m/tflite-int8@delegate=none. All get the same samples, and are
    compared sample by sample. Without --dataset or --data, the data set they were made with.
    """
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.evaluate import evaluate_all

    if dataset is not None and data is not None:
        raise UsageError("--dataset and --data both say what to evaluate on", hint="give one")
    if against is not None and pairs:
        raise UsageError("--against and --pairs both say what to compare", hint="give one")
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = evaluate_all(
            [parse(one) for one in artifact],
            against=against,
            every_two=pairs,
            dataset=data if data is not None else dataset,
            samples=samples,
            device=device,
            runtime=runtime,
            metric=metric,
            margin=margin,
            fresh=fresh,
            report=report,
        )
    if as_json and found.rows:
        output.print_json(found.to_json())
    elif len(found.rows) == 1 and not found.pairs:
        _print_one(found.rows[0], found.numbers[0])
    elif found.rows:
        _print_table(found)
    if not as_json:
        if found.pairs:
            _print_pairs(found)
        output.print_warnings(found.warnings)
    output.raise_failures(found.failures, len(found.rows), "evaluated")


def _print_one(found: Evaluation, number: int | None) -> None:
    metric, pair = found.metric, found.against_source
    low, high = metric.ci95
    source = _SOURCES.get(found.reference, found.reference)
    facts = {
        metric.name: f"{metric.scale.text(metric.value)} (95 %: {low:.2f} to {high:.2f})",
        "loss": _loss(found, source),
    }
    if pair is not None:
        facts |= {
            "against it": f"{_verdict(pair)}; {pair.lost:,} lost, {pair.won:,} won, p {_p(pair.p)}",
            "seen would be": _seen(pair),
        }
    output.print_facts(
        str(found.artifact),
        facts
        | {
            found.judge.samples_are: f"{metric.samples:,} of {found.dataset}, {found.split} split",
            "ran in": f"{found.runtime} on {found.device}",
            "placement": str(found.placement),
            "intervals": _methods(found),
        }
        | ({"resumed": _resumed(found.resumed)} if found.resumed and found.resumed.samples else {})
        | ({"kept as": f"eval:{number}"} if number is not None else {}),
    )


def _resumed(resumed: Resumed) -> str:
    return f"{resumed}; {resumed.proven:,} of them run again, with the same outputs"


def _loss(found: Evaluation, source: str) -> str:
    metric = found.metric
    if metric.drop is None:
        return f"unknown: {found.drop_unknown}"
    interval = ""
    if metric.drop_ci95 is not None:
        interval = f" (95 %: {metric.drop_ci95[0]:+.2f} to {metric.drop_ci95[1]:+.2f})"
    return f"{metric.drop:+.2f} {metric.unit}{interval} against {source}"


def _methods(found: Evaluation) -> str:
    if found.metric.drop_ci95 is None:
        return found.judge.interval
    return f"{found.judge.interval}; of the loss {found.judge.paired_interval}"


def _print_table(found: Evaluations) -> None:
    rows, first = found.rows, found.rows[0]
    output.print_table(
        f"{first.metric.samples:,} {first.judge.samples_are} of {first.dataset}, "
        f"{first.split} split, on {first.device}",
        (
            "artifact",
            f"{first.metric.name} {first.metric.scale.symbol}".rstrip(),
            "95 %",
            "drop",
            "95 % of it",
            "ran in",
            "kept as",
        ),
        [
            (
                row.contender.name,
                f"{row.metric.value:.2f}",
                _interval(row.metric.ci95, sign=False),
                None if row.metric.drop is None else f"{row.metric.drop:+.2f}",
                None if row.metric.drop_ci95 is None else _interval(row.metric.drop_ci95),
                row.runtime,
                None if number is None else f"eval:{number}",
            )
            for row, number in zip(rows, found.numbers, strict=True)
        ],
    )
    click.echo(f"interval: {first.judge.interval}; of a drop: {first.judge.paired_interval}")
    for reason in sorted({row.drop_unknown for row in rows if row.drop_unknown}):
        click.echo(f"drop unknown: {reason}")
    for row in rows:
        if row.resumed is not None and row.resumed.samples:
            click.echo(f"resumed: {row.contender.name}: {_resumed(row.resumed)}")
    click.echo("")


def _print_pairs(found: Evaluations) -> None:
    pairs, metric = found.pairs, found.rows[0].judge
    firsts = {pair.a for pair in pairs}
    several = len(firsts) > 1
    output.print_table(
        "every two: B against A" if several else f"against {pairs[0].a}",
        (
            *(("A", "B") if several else ("artifact",)),
            metric.scale.unit, "95 %", "p", "lost", "won", "seen would be", "verdict",
        ),
        [
            (
                *((pair.a, pair.b) if several else (pair.b,)),
                f"{pair.found.difference + 0.0:+.2f}",
                _interval(pair.found.ci95),
                _p(pair.found.p_adjusted),
                f"{pair.found.lost:,}",
                f"{pair.found.won:,}",
                _detectable(pair.found),
                pair.found.verdict,
            )
            for pair in pairs
        ],
    )  # fmt: skip
    holm = f", for {len(pairs)} differences by Holm" if len(pairs) > 1 else ""
    click.echo(
        f"interval: {metric.paired_interval}; p: {metric.test}{holm}\n"
        f"lost, won: {metric.samples_are} on which it does worse, better; "
        f"seen would be: {metric.scale.unit}, 8 times in 10\n"
        f"indistinguishable: the interval lies within ±{pairs[0].found.margin:g}"
    )
    wanted = [pair.found for pair in pairs if pair.found.verdict == "inconclusive"]
    if wanted:
        most = max(one.samples_for_margin for one in wanted)
        click.echo(
            f"a difference of ±{wanted[0].margin:g} is seen with about {_rounded(most)} "
            f"{metric.samples_are}"
        )


def _seen(pair: Difference) -> str:
    if pair.detectable > pair.scale.widest:
        return "none: too few samples"
    return f"a difference of {_detectable(pair)} {pair.unit}, 8 times in 10"


def _detectable(pair: Difference) -> str:
    if pair.detectable > pair.scale.widest:
        return "none"
    return f"{pair.detectable:.2f}" if pair.detectable >= 0.005 else "< 0.01"


def _verdict(pair: Difference) -> str:
    if pair.verdict == "indistinguishable":
        return f"indistinguishable within ±{pair.margin:g}"
    return pair.verdict


def _interval(bounds: tuple[float, float], *, sign: bool = True) -> str:
    low, high = (bound + 0.0 for bound in bounds)
    return f"[{low:+.2f}, {high:+.2f}]" if sign else f"[{low:.2f}, {high:.2f}]"


def _p(value: float) -> str:
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _rounded(count: int) -> str:
    """Two digits of it: more would promise too much."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
