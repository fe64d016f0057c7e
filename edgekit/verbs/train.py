"""`train`: a model folder and a data set become weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.datasets import open_dataset
from edgekit.errors import DataError, FileError, ModelError, UsageError
from edgekit.files import write_atomic
from edgekit.models import resolve_model, tokenizer_beside
from edgekit.progress import Report, silent
from edgekit.spec import Scalar
from edgekit.training.recipe import read_recipe
from edgekit.training.run import Trained, train
from edgekit.training.transfer import Start, find_start


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What `edgekit train` made.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        trained: Figures and places.
        installed: Where the weights lie for `edgekit export` to find by data set; None if nowhere.
        export_command: The command that exports them.
    """

    model: str
    dataset: str
    trained: Trained
    installed: Path | None
    export_command: str

    def to_json(self) -> dict[str, Any]:
        run = self.trained
        return {
            "model": self.model,
            "dataset": self.dataset,
            "folder": str(run.folder),
            "weights": str(self.installed or run.weights),
            "epochs": run.epochs,
            "resumed_at": run.resumed_at,
            "fresh_layers": list(run.fresh),
            "validation": run.validation.to_json(),
            "test": run.test.to_json() if run.test else None,
            "seconds": round(run.seconds, 2),
            "export_command": self.export_command,
        }


def train_model(
    reference: str,
    *,
    dataset: str | None = None,
    data: Path | None = None,
    epochs: int | None = None,
    parameters: Mapping[str, Scalar] | None = None,
    begin: str | None = None,
    freeze: int | None = None,
    head_only: bool = False,
    strategy: str = "none",
    board: Path | None = None,
    out: Path | None = None,
    seed: int = 0,
    resume: bool = True,
    install: bool = False,
    report: Report = silent,
) -> TrainResult:
    """Train a model by the recipe in its `model.toml`.

    Args:
        reference: Name or path of a model folder.
        dataset: A known data set; by default the model's first one.
        data: A user's own data instead.
        epochs: In all, instead of the recipe's.
        parameters: Overrides of `[parameters]`.
        begin: First weights: "imagenet", the path of a `.weights.h5`, or the data set of a
            checkpoint in the model's folder; by default random ones.
        freeze: Epochs that train only the head, instead of the recipe's `freeze_epochs`.
        head_only: Train only the head, to the end.
        strategy: One of `edgekit.training.strategy.STRATEGIES`.
        board: Where logs for TensorBoard go; by default `logs` in the run folder.
        out: The run folder; by default `build/train/<model>-<dataset>`.
        seed: Of everything random.
        resume: Go on where an interrupted run in the same folder stopped.
        install: Also put the weights into the model folder, where `export --dataset` finds them.
        report: Progress.

    Raises:
        ModelError, DataError, FileError, UsageError: See `edgekit.training.run.train`.
    """
    source = resolve_model(reference, parameters=parameters)
    if source.spec is None or source.kind != "folder":
        raise ModelError(
            f"{source.path}: only a model folder can be trained",
            hint="write a folder with model.toml and model.py, as in models/mobilenet",
        )
    opened = open_dataset(data or dataset or _default_dataset(source.name, source.spec.datasets))
    where = f"{source.path.name}/model.toml: train"
    spec = source.spec
    recipe = read_recipe(spec.train, spec.parameters, where, dataset=opened.name, task=spec.task)
    if parameters:
        declared = resolve_model(reference).spec
        assert declared is not None
        recipe = recipe.fitted(declared.parameters, source.spec.parameters)
    if epochs is not None:
        recipe = recipe.with_epochs(epochs)
    start = find_start(source, begin) if begin is not None else Start()
    if start.is_random and (freeze or head_only):
        raise UsageError(
            "a backbone of random weights cannot be frozen", hint="--from says where to begin"
        )
    if head_only or freeze is not None:
        recipe = replace(recipe, freeze_epochs=recipe.epochs if head_only else freeze or 0)
    folder = out or Path("build") / "train" / f"{source.name}-{opened.name}"
    trained = train(
        source,
        opened,
        recipe,
        folder=folder,
        seed=seed,
        start=start,
        resume=resume,
        strategy=strategy,
        board=board,
        report=report,
    )
    installed = None
    if install:
        installed = source.weights_place(opened.name)
        try:
            if source.needs_tokenizer:
                made = tokenizer_beside(trained.weights).read_bytes()
                write_atomic(tokenizer_beside(installed), made)
            write_atomic(installed, trained.weights.read_bytes())
        except OSError as error:
            raise FileError.from_os_error(error) from error
    command = f"edgekit export {reference}"
    command += f" --data {data}" if data else f" --dataset {opened.name}"
    command += "".join(f" --set {key}={value}" for key, value in (parameters or {}).items())
    if data or not installed:  # export finds weights by itself only by the name of a data set
        command += f" --weights {installed or trained.weights}"
    return TrainResult(source.name, opened.name, trained, installed, command)


def _default_dataset(model: str, known: tuple[str, ...]) -> str:
    if not known:
        raise DataError(
            f"{model}: its model.toml names no data set",
            hint="--dataset NAME, or --data PATH for your own",
        )
    return known[0]
