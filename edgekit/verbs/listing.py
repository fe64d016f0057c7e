"""What there is: models and device profiles over all shelves.

Reads TOML files only; nothing is built and nothing is measured. A file that cannot be read is
reported beside the others, which stay listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import shelf
from edgekit.errors import EdgekitError, ModelError
from edgekit.models import resolve_model
from edgekit.spec import ModelSpec, Scalar, read_model_toml

_WEIGHTS = ".weights.h5"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model folder.

    Attributes:
        spec: What its `model.toml` says.
        folder: Where it lies.
        checkpoints: Data sets with committed weights, and the size of each file in bytes.
    """

    spec: ModelSpec
    folder: Path
    checkpoints: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "name": spec.name,
            "summary": spec.summary,
            "task": spec.task,
            "parameters": dict(spec.parameters),
            "inputs": [entry.to_json() for entry in spec.inputs],
            "output": spec.output,
            "metric": spec.metric,
            "checkpoints": [
                {"dataset": name, "bytes": size} for name, size in self.checkpoints.items()
            ],
            "gate": {
                "max_drop": spec.gate.max_drop,
                "max_abs": spec.gate.max_abs,
                "samples": spec.gate.samples,
            },
            "source": spec.source,
            "licence": spec.licence,
            "folder": str(self.folder),
        }


@dataclass(frozen=True, slots=True)
class ModelList:
    """All models that can be read, and why the others cannot."""

    models: tuple[ModelEntry, ...]
    broken: tuple[EdgekitError, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "models": [entry.to_json() for entry in self.models],
            "broken": [error.to_json() for error in self.broken],
        }


def list_models() -> ModelList:
    """Every model of every shelf."""
    entries: list[ModelEntry] = []
    broken = shelf.shelves()[1]
    for folder in shelf.model_folders().values():
        try:
            entries.append(_model_entry(folder, read_model_toml(folder / "model.toml")))
        except EdgekitError as error:
            broken.append(error)
    return ModelList(tuple(entries), tuple(broken))


def describe_model(reference: str, parameters: Mapping[str, Scalar] | None = None) -> ModelEntry:
    """One model, by name or by the path of its folder.

    Raises:
        UsageError: No such name.
        ModelError: The path holds a bare Keras file, or a `model.toml` that cannot be read.
    """
    source = resolve_model(reference, parameters=parameters)
    if source.spec is None:
        raise ModelError(
            f"{reference}: a Keras file says nothing about its task, data or metric",
            hint=f"edgekit export {reference} --dry-run shows what would be made of it",
        )
    return _model_entry(source.path, source.spec)


def _model_entry(folder: Path, spec: ModelSpec) -> ModelEntry:
    found = {
        path.name.removesuffix(_WEIGHTS): path.stat().st_size
        for path in sorted(folder.glob(f"*{_WEIGHTS}"))
    }
    # In the order of model.toml, whose first data set is the default.
    ordered = [name for name in spec.datasets if name in found]
    ordered += [name for name in found if name not in spec.datasets]
    return ModelEntry(spec, folder, {name: found[name] for name in ordered})
