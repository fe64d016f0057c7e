"""`edgekit train`."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import names, output


@click.command("train")
@click.argument("model", shell_complete=names.complete_models)
@click.option("--dataset", metavar="NAME", help="A known data set; by default the model's first.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own: a folder of pictures, boxes, texts or sounds, TFRecords, or an .npz.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="In all, instead of the recipe's.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="RATE",
    help="The highest, instead of the recipe's.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 65_536),
    metavar="N",
    help="Samples per step, instead of the recipe's.",
)
@click.option(
    "--train-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many samples are ever seen, instead of the recipe's.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A model parameter.")
@click.option(
    "--from",
    "begin",
    metavar="WEIGHTS",
    help="Begin with trained weights: imagenet, a .weights.h5, or a data set the model knows.",
)
@click.option(
    "--freeze", type=click.IntRange(min=0), metavar="N", help="Train only the head for N epochs."
)
@click.option("--head-only", is_flag=True, help="Train only the head, to the end.")
@click.option(
    "--pretrain",
    type=click.Choice(["simclr", "moco"]),
    help="Train the backbone without labels instead; then train with --from.",
)
@click.option(
    "--strategy",
    type=click.Choice(["none", "mirrored", "multiworker"]),
    default="none",
    show_default=True,
    help="Share the work: mirrored, over this machine's GPUs; multiworker, by TF_CONFIG.",
)
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where logs for TensorBoard go; by default logs/ in the run folder.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder; by default build/train/MODEL-DATASET.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option(
    "--resume/--no-resume", default=True, help="Go on where a stopped run ended (default), or not."
)
@click.option("--install", is_flag=True, help="Also put the weights into the model's folder.")
@output.common_options
def command(
    model: str,
    dataset: str | None,
    data: Path | None,
    epochs: int | None,
    learning_rate: float | None,
    batch_size: int | None,
    train_samples: int | None,
    settings: tuple[str, ...],
    begin: str | None,
    freeze: int | None,
    head_only: bool,
    pretrain: str | None,
    strategy: str,
    tensorboard: Path | None,
    out: Path | None,
    seed: int,
    resume: bool,
    install: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Train MODEL and keep its best weights.

    MODEL is a name from `edgekit models`, or the path of a model folder. The recipe stands in its
    model.toml. A stopped run goes on at the last finished epoch when the same command runs again.
    """
    from edgekit.errors import UsageError
    from edgekit.spec import parse_settings
    from edgekit.verbs.train import train_model

    if dataset is not None and data is not None:
        raise UsageError("give either --dataset or --data")
    if freeze is not None and head_only:
        raise UsageError("give either --freeze or --head-only")
    try:
        with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
            result = train_model(
                model,
                dataset=dataset,
                data=data,
                epochs=epochs,
                learning_rate=learning_rate,
                batch_size=batch_size,
                train_samples=train_samples,
                parameters=parse_settings(settings),
                begin=begin,
                freeze=freeze,
                head_only=head_only,
                pretrain=pretrain,
                strategy=strategy,
                board=tensorboard,
                out=out,
                seed=seed,
                resume=resume,
                install=install,
                report=report,
            )
    except KeyboardInterrupt:
        click.echo("the same command goes on after the last finished epoch", err=True)
        raise
    if as_json:
        output.print_warnings(result.trained.warnings)
        output.print_json(result.to_json())
        return
    run = result.trained
    measured = [("validation", run.validation), *([("test", run.test)] if run.test else [])]
    rows = [
        (split, metric.samples, f"{metric.value:.2f}", f"{metric.ci95[0]:.2f}–{metric.ci95[1]:.2f}")
        for split, metric in measured
    ]
    heading = f"{run.validation.name} {run.validation.scale.symbol}".rstrip()
    columns = ("split", "samples", heading, "95 % interval")
    output.print_table(f"{result.model} on {result.dataset}", columns, rows)
    output.print_facts(
        "",
        {
            "weights": str(result.installed or run.weights),
            **({"begun anew": ", ".join(run.fresh)} if run.fresh else {}),
            "report": str(run.folder / "report.html"),
            "train" if result.pretrained else "export": result.next_command,
        },
    )
