"""Read a `model.toml`: every key checked, variants and overrides laid over it.

Reads TOML, never TensorFlow: `edgekit models` and `--dry-run` stay cheap. What the keys mean is
said in `edgekit.spec`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import ModelError
from edgekit.fields import is_name, laid_over
from edgekit.spec import (
    DTYPES,
    LAYOUTS,
    RESIZES,
    TASKS,
    TOKENIZERS,
    Gate,
    InputSpec,
    ModelSpec,
    Scalar,
    Size,
)

# What a variant may change: never what the model is for.
_VARIED = (
    "summary", "parameters", "inputs", "datasets", "calibration_samples", "gate", "train",
    "transfer", "source", "licence", "size",
)  # fmt: skip

# What may depend on a parameter that is true or false: what the model then gives.
_CONDITIONED = ("outputs", "activation", "gate", "metric")


def read_model_toml(
    path: Path, overrides: Mapping[str, Scalar] | None = None, variant: str = ""
) -> ModelSpec:
    """Parse `model.toml`.

    Args:
        path: The file.
        overrides: Replaces values under `[parameters]` (`--set width=0.5`).
        variant: Which of `[variants]`; "" for the model as the file's other tables say it.

    Raises:
        ModelError: The file is absent, is not TOML, or a key is missing, unknown or of the wrong
            type; the message names the key.
    """
    return _Reader(path).model(_parse(path), dict(overrides or {}), variant)


def read_variants(path: Path) -> tuple[str, ...]:
    """Names under `[variants]`, in the order of the file; none where it cannot be read."""
    try:
        variants = _parse(path).get("variants", {})
    except ModelError:
        return ()
    return tuple(variants) if isinstance(variants, dict) else ()


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise ModelError(f"{path.parent}: no model.toml in this folder") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not valid TOML: {error}") from error


class _Reader:
    """Turns parsed TOML into a `ModelSpec`, naming the file and key in every complaint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def model(
        self, data: dict[str, Any], overrides: dict[str, Scalar], variant: str = ""
    ) -> ModelSpec:
        name = self.take(data, "name", str)
        variants = self.take(data, "variants", dict, {})
        if variant:
            if variant not in variants:
                known = ", ".join(variants) or "none"
                raise ModelError(f"{self.path}: no variant {variant!r}", hint=f"it has: {known}")
            data = self.varied(data, variant, variants[variant])
            name = f"{name}-{variant}"
        parameters = self.take(data, "parameters", dict, {})
        for key, value in overrides.items():
            if key not in parameters:
                raise ModelError(
                    f"{self.path}: no parameter {key!r}",
                    hint=f"one of: {', '.join(sorted(parameters)) or '(it has none)'}",
                )
            self.same_kind(key, value, parameters[key])
        parameters = {**parameters, **overrides}
        data = self.conditioned(data, parameters)
        spec = ModelSpec(
            name=name,
            summary=self.take(data, "summary", str, ""),
            task=self.choice("task", self.take(data, "task", str), TASKS),
            inputs=tuple(
                self.input(entry, parameters) for entry in self.take(data, "inputs", list)
            ),
            parameters=parameters,
            outputs=self.outputs(data),
            activation=self.choice(
                "activation", self.take(data, "activation", str, ""), ("", "softmax", "sigmoid")
            ),
            metric=self.take(data, "metric", str, "top1"),
            datasets=tuple(self.all_text("datasets", self.take(data, "datasets", list, []))),
            gate=self.gate(self.take(data, "gate", dict, {})),
            calibration_samples=self.take(data, "calibration_samples", int, 128),
            train=self.take(data, "train", dict, {}),
            features=self.features(self.take(data, "transfer", dict, {})),
            size=self.model_size(self.take(data, "size", dict, {}), changed=bool(overrides)),
            variant=variant,
            source=self.take(data, "source", str, ""),
            licence=self.take(data, "licence", str, ""),
        )
        self.nothing_left("", data)
        if not spec.inputs:
            raise ModelError(f"{self.path}: inputs: at least one is needed")
        names = [entry.name for entry in spec.inputs]
        if len(set(names)) != len(names):
            raise ModelError(f"{self.path}: inputs: expected different names, found {names}")
        return spec

    def varied(self, data: dict[str, Any], name: str, changes: Any) -> dict[str, Any]:
        """The file's tables with those of a variant laid over them, key by key."""
        if not isinstance(changes, dict):
            raise ModelError(f"{self.path}: variants.{name}: expected a table")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
            raise ModelError(f"{self.path}: variants.{name}: small letters, digits, '-' and '.'")
        # Weights of the model itself are no weights of a variant, nor is its size.
        varied = {**data, "datasets": []}
        varied.pop("size", None)
        for key, value in changes.items():
            if key not in _VARIED:
                raise ModelError(f"{self.path}: unknown key variants.{name}.{key}")
            known = data.get(key)
            if isinstance(value, dict) and isinstance(known, dict):
                varied[key] = laid_over(known, value)
            else:
                varied[key] = value
        if {"stages", "epochs"} <= set(varied.get("train", {})):
            # One of the two came from the file itself; the variant's own word counts.
            own = changes["train"]
            varied["train"].pop("epochs" if "stages" in own else "stages")
        return varied

    def conditioned(self, data: dict[str, Any], parameters: Mapping[str, Scalar]) -> dict[str, Any]:
        """The file's tables with those of `[when.PARAMETER]` laid over them where it is true."""
        laid = dict(data)
        for name, changes in self.take(laid, "when", dict, {}).items():
            if not isinstance(changes, dict) or not isinstance(parameters.get(name), bool):
                raise ModelError(
                    f"{self.path}: when.{name}: expected a table named like a parameter that is "
                    "true or false"
                )
            if unknown := sorted(set(changes) - set(_CONDITIONED)):
                raise ModelError(f"{self.path}: unknown key when.{name}.{unknown[0]}")
            if parameters[name]:
                laid = laid_over(laid, changes)
        return laid

    def model_size(self, table: dict[str, Any], *, changed: bool) -> Size | None:
        """`[size]`; None where there is none, or where it is another model's."""
        if not table:
            return None
        size = Size(self.take(table, "parameters", int), self.take(table, "multiply_adds", int))
        self.nothing_left("size.", table)
        return None if changed else size

    def outputs(self, data: dict[str, Any]) -> tuple[str, ...]:
        """`output = "logits"`, or `outputs = ["boxes", "scores"]`."""
        if "outputs" in data:
            names = self.all_text("outputs", self.take(data, "outputs", list))
            if not names or len(set(names)) != len(names):
                raise ModelError(f"{self.path}: outputs: expected different names, found {names}")
            return tuple(names)
        return (self.take(data, "output", str, "output"),)

    def input(self, entry: Any, parameters: Mapping[str, Scalar]) -> InputSpec:
        if not isinstance(entry, dict):
            raise ModelError(f"{self.path}: inputs: write [[inputs]] tables")
        limits = self.take(entry, "range", list, [0, 255])
        limits = [self.limit(item, parameters) for item in limits]
        low, high = self.pair("inputs.range", limits)
        spec = InputSpec(
            name=self.take(entry, "name", str),
            dtype=self.choice("inputs.dtype", self.take(entry, "dtype", str), DTYPES),
            shape=tuple(self.size(item, parameters) for item in self.take(entry, "shape", list)),
            layout=self.choice("inputs.layout", self.take(entry, "layout", str, ""), LAYOUTS),
            range=(low, high),
            resize=self.choice("inputs.resize", self.take(entry, "resize", str, ""), RESIZES),
            tokenizer=self.choice(
                "inputs.tokenizer", self.take(entry, "tokenizer", str, ""), TOKENIZERS
            ),
            rate_hz=self.take(entry, "rate_hz", int, 0),
        )
        # TensorFlow and file systems read more into some names than a name.
        if not is_name(spec.name) or set(spec.name) & set("/\\:"):
            raise ModelError(
                f"{self.path}: inputs.name: {spec.name!r} is no name",
                hint="letters, digits, spaces, '.', '-' and '_'",
            )
        self.nothing_left("inputs.", entry)
        return spec

    def size(self, item: Any, parameters: Mapping[str, Scalar]) -> int:
        """A shape entry: a number, or the name of an integer parameter."""
        value = parameters.get(item) if isinstance(item, str) else item
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModelError(
                f"{self.path}: inputs.shape: {item!r} is neither a positive number "
                "nor an integer parameter"
            )
        return value

    def limit(self, item: Any, parameters: Mapping[str, Scalar]) -> Any:
        """An end of a range: a number, or the name of an integer parameter less one (tokens)."""
        return self.size(item, parameters) - 1 if item in parameters else item

    def gate(self, table: dict[str, Any]) -> Gate:
        usual = Gate()
        strict = "max_abs" in table
        gate = Gate(
            max_drop=float(self.take(table, "max_drop", (int, float), usual.max_drop)),
            max_abs=float(self.take(table, "max_abs", (int, float), usual.max_abs)),
            strict=strict,
            samples=self.take(table, "samples", int, usual.samples),
            origin=f"gate in {self.path.parent.name}/{self.path.name}",
        )
        self.nothing_left("gate.", table)
        return gate

    def features(self, table: dict[str, Any]) -> str:
        name: str = self.take(table, "features", str, "")
        self.nothing_left("transfer.", table)
        return name

    def take(self, table: dict[str, Any], key: str, kind: Any, *default: Any) -> Any:
        if key not in table:
            if default:
                return default[0]
            raise ModelError(f"{self.path}: the key {key!r} is missing")
        value = table.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            wanted = getattr(kind, "__name__", "number")
            raise ModelError(f"{self.path}: {key}: expected {wanted}, found {value!r}")
        return value

    def same_kind(self, key: str, value: Scalar, default: Scalar) -> None:
        """Refuse `width=wide` where the file has a number; a float may be given as an integer."""
        wanted = (int, float) if isinstance(default, float) else (type(default),)
        if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(default, bool):
            raise ModelError(
                f"{self.path}: parameter {key}: expected {type(default).__name__}, found {value!r}"
            )

    def pair(self, key: str, value: list[Any]) -> tuple[float, float]:
        """Two rising numbers."""
        numbers = [item for item in value if type(item) in (int, float)]
        if len(numbers) != 2 or len(value) != 2 or not numbers[0] < numbers[1]:
            raise ModelError(f"{self.path}: {key}: expected [lowest, highest], found {value!r}")
        return float(numbers[0]), float(numbers[1])

    def all_text(self, key: str, value: list[Any]) -> list[str]:
        for item in value:
            if not isinstance(item, str):
                raise ModelError(f"{self.path}: {key}: expected names, found {item!r}")
        return value

    def choice(self, key: str, value: str, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            known = ", ".join(repr(item) for item in allowed)
            raise ModelError(f"{self.path}: {key}: {value!r} is not one of {known}")
        return value

    def nothing_left(self, prefix: str, table: dict[str, Any]) -> None:
        if table:
            unknown = ", ".join(prefix + key for key in sorted(table))
            raise ModelError(f"{self.path}: unknown key {unknown}")
