"""`train`: a model folder and a data set become weights."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.datasets import Dataset, open_dataset
from edgekit.datasets.unlabelled import open_samples
from edgekit.errors import DataError, FileError, ModelError, UsageError
from edgekit.files import write_atomic
from edgekit.models import ModelSource, resolve_model, tokenizer_beside
from edgekit.progress import Report, silent
from edgekit.spec import Scalar
from edgekit.training.pretext import Pretext, read_pretext
from edgekit.training.recipe import Recipe, read_recipe
from edgekit.training.run import Trained, train
from edgekit.training.strategy import read_workers
from edgekit.training.transfer import Start, find_start


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What `edgekit train` made.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        trained: Figures and places.
        installed: Where the weights lie for `edgekit export` to find by data set; None if nowhere.
        next_command: The command that exports them, or trains with what was learned without labels.
        pretrained: Whether labels were left out.
    """

    model: str
    dataset: str
    trained: Trained
    installed: Path | None
    next_command: str
    pretrained: bool = False

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
            "train_command" if self.pretrained else "export_command": self.next_command,
        }


def train_model(
    reference: str,
    *,
    dataset: str | None = None,
    data: Path | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    train_samples: int | None = None,
    parameters: Mapping[str, Scalar] | None = None,
    begin: str | None = None,
    freeze: int | None = None,
    head_only: bool = False,
    pretrain: str | None = None,
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
        learning_rate: The highest, instead of the recipe's.
        batch_size: Samples per step, instead of the recipe's.
        train_samples: Samples of the train split that are ever seen, instead of the recipe's.
        parameters: Overrides of `[parameters]`.
        begin: First weights: "imagenet", the path of a `.weights.h5`, or the data set of a
            checkpoint in the model's folder; by default random ones.
        freeze: Epochs that train only the head, instead of the recipe's `freeze_epochs`.
        head_only: Train only the head, to the end.
        pretrain: Train the backbone without labels instead: one of
            `edgekit.training.pretext.METHODS`.
        strategy: One of `edgekit.training.strategy.STRATEGIES`.
        board: Where logs for TensorBoard go; by default `logs` in the run folder.
        out: The run folder; by default `build/train/<model>-<dataset>`, of a pre-training with the
            method behind it.
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
            hint="write a folder with model.toml and model.py, as models/*/mobilenet is",
        )
    _refuse_head(pretrain, head=freeze is not None or head_only or install)
    wanted = data or dataset or _default_dataset(source.name, source.spec.datasets)
    opened = open_samples(wanted) if pretrain else open_dataset(wanted)
    start = find_start(source, begin) if begin is not None else Start()
    if start.is_random and (freeze or head_only):
        raise UsageError(
            "a backbone of random weights cannot be frozen", hint="--from says where to begin"
        )
    declared = resolve_model(reference)
    recipe, pretext = _recipe(declared, source, opened, pretrain)
    recipe = _asked(recipe, learning_rate, batch_size, train_samples, epochs)
    recipe = _frozen(recipe, freeze=freeze, head_only=head_only)
    place = source.weights_place(opened.name) if install else None
    if place:
        _refuse_install(place, declared=declared, asked=source)
    run = "-".join([source.name, opened.name, *([pretrain] if pretrain else [])])
    folder = out or Path("build") / "train" / run
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
        pretext=pretext,
        report=report,
    )
    if place and read_workers(strategy).index == 0:
        _install(source, trained.weights, place)
    command = f"edgekit {'train' if pretrain else 'export'} {reference}"
    command += f" --data {data}" if data else f" --dataset {opened.name}"
    command += "".join(f" --set {key}={value}" for key, value in (parameters or {}).items())
    if pretrain:
        command += f" --from {trained.weights}"
    elif data or not place:  # export finds weights by itself only by the name of a data set
        command += f" --weights {place or trained.weights}"
    return TrainResult(source.name, opened.name, trained, place, command, bool(pretrain))


def _refuse_head(pretrain: str | None, *, head: bool) -> None:
    if pretrain and head:
        raise UsageError(
            "--pretrain trains a backbone, whose head is still to come",
            hint="--freeze, --head-only and --install are for the training that begins with it",
        )


def _recipe(
    declared: ModelSource, asked: ModelSource, dataset: Dataset, pretrain: str | None
) -> tuple[Recipe, Pretext | None]:
    """The recipe of `declared` for a data set, fitted to the parameters of `asked`."""
    assert declared.spec is not None
    assert asked.spec is not None
    spec = asked.spec
    where = f"{asked.path.name}/model.toml: train"
    table, known, pretext = spec.train, spec.parameters, None
    if pretrain:
        pretext, recipe = read_pretext(pretrain, table, known, where, dataset=dataset.name)
    else:
        recipe = read_recipe(table, known, where, dataset=dataset.name, task=spec.task)
    if known != declared.spec.parameters:
        recipe = recipe.fitted(declared.spec.parameters, known)
    return recipe, pretext


def _asked(
    recipe: Recipe,
    learning_rate: float | None,
    batch_size: int | None,
    train_samples: int | None,
    epochs: int | None,
) -> Recipe:
    """`recipe` with what the command line says instead."""
    if learning_rate is not None:
        if not 0 < learning_rate < math.inf:
            raise UsageError(f"--learning-rate {learning_rate}: it must be a number above 0")
        recipe = replace(recipe, learning_rate=learning_rate)
    if batch_size is not None:
        recipe = replace(recipe, batch_size=batch_size)
    if train_samples is not None:
        recipe = replace(recipe, train_samples=train_samples)
    return recipe if epochs is None else recipe.with_epochs(epochs)


def _frozen(recipe: Recipe, *, freeze: int | None, head_only: bool) -> Recipe:
    """`recipe` with as many epochs frozen as the command line says."""
    if head_only:
        return replace(recipe, freeze_epochs=recipe.epochs)
    if freeze is None:
        return recipe
    if freeze > recipe.epochs:
        raise UsageError(
            f"--freeze {freeze}: the training has {recipe.epochs} epochs",
            hint="--head-only trains nothing but the head",
        )
    return replace(recipe, freeze_epochs=freeze)


def _install(source: ModelSource, weights: Path, place: Path) -> None:
    """Put weights, and the tokenizer they belong to, into the model's folder."""
    try:
        if source.needs_tokenizer:
            write_atomic(tokenizer_beside(place), tokenizer_beside(weights).read_bytes())
        write_atomic(place, weights.read_bytes())
    except OSError as error:
        failure = FileError.from_os_error(error)
        raise FileError(failure.message, f"the weights are in {weights}") from error


def _refuse_install(place: Path, *, declared: ModelSource, asked: ModelSource) -> None:
    """What a training of hours would only find out at its end."""
    assert declared.spec is not None
    assert asked.spec is not None
    other = [k for k, v in declared.spec.parameters.items() if asked.spec.parameters[k] != v]
    if other:
        raise UsageError(
            f"--install: weights for another {' and '.join(other)} than model.toml says would be "
            "taken for the model's own",
            hint=f"the value under [parameters] in {declared.path.name}/model.toml; or without "
            "--install: edgekit export takes --set and --weights",
        )
    if place.is_dir():
        raise FileError(f"{place}: a folder; --install writes a file there")
    if not os.access(place.parent, os.W_OK):
        raise FileError(
            f"{place.parent}: no permission to write there, where --install puts weights",
            hint="without it: the weights stay in the run folder, and edgekit export takes "
            "--weights",
        )


def _default_dataset(model: str, known: tuple[str, ...]) -> str:
    if not known:
        raise DataError(
            f"{model}: its model.toml names no data set",
            hint="--dataset NAME, or --data PATH for your own",
        )
    return known[0]
