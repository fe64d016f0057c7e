"""What a model is, as data: the contents of a `model.toml`, typed and checked.

Reads TOML, never TensorFlow: `edgekit models` and `--dry-run` stay cheap. Does not find models
(`edgekit.models`) and does not build them.
"""

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError, ModelError, UsageError
from edgekit.fields import Fields

Scalar = bool | int | float | str

TASKS = ("image-classification",)
DTYPES = ("uint8", "int8", "int32", "int64", "float16", "float32")

MOST_VALUES = 2**31  # of one sample


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model, and how a picture becomes it.

    Attributes:
        name: Name of the input in every artifact.
        dtype: numpy dtype name at the model's boundary.
        shape: Without the batch axis; images are (height, width, channels).
        layout: "HWC" for images, "" for anything else.
        range: Lowest and highest value the model expects, in units of `dtype`.
        resize: "bilinear" (antialiased, aspect ratio not kept) or "" when not an image.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str = ""
    range: tuple[float, float] = (0.0, 255.0)
    resize: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "shape": list(self.shape), "range": list(self.range)}

    @staticmethod
    def from_json(data: Any, error: type[EdgekitError] = ModelError) -> InputSpec:
        """Check and rebuild.

        Raises:
            EdgekitError: `error`; a key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "input", error)
        largest = sys.float_info.max
        spec = InputSpec(
            name=fields.name("name", longest=4096),
            dtype=fields.text("dtype", choices=DTYPES),
            shape=fields.integers("shape", most=16, low=1, high=MOST_VALUES),
            layout=fields.text("layout", choices=("", "HWC")),
            range=fields.interval("range", low=-largest, high=largest),
            resize=fields.text("resize", choices=("", "bilinear")),
        )
        fields.done()
        if math.prod(spec.shape) > MOST_VALUES:
            raise fields.fail("shape", f"{list(spec.shape)} is more than {MOST_VALUES:,} values")
        if (spec.layout or spec.resize) and len(spec.shape) != 3:
            raise fields.fail(
                "shape", f"{list(spec.shape)} is no picture [height, width, channels]"
            )
        return spec


@dataclass(frozen=True, slots=True)
class Gate:
    """Limits that an artifact must keep to exist.

    Attributes:
        max_drop: Points of the metric (0–100) that int8 may lose against Keras.
        max_abs: Largest difference of a float32 artifact's outputs from Keras's.
        strict: Whether `max_abs` also holds for outputs larger than 1 (else it grows with them).
        samples: Evaluation samples the metric is measured on.
        origin: Where the limits were set, for error messages.
    """

    max_drop: float = 1.0
    max_abs: float = 1e-4
    strict: bool = False
    samples: int = 2000
    origin: str = "edgekit's defaults"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as its `model.toml` describes it.

    Attributes:
        name: Short name, also the folder's.
        summary: One line for listings.
        task: One of `TASKS`.
        parameters: Keyword arguments of `build()`.
        inputs: One entry per model input, in order.
        output: Name of the output tensor.
        activation: What the app applies to the output ("softmax", "sigmoid" or "").
        metric: Name in `edgekit.metrics`.
        datasets: Data sets with a committed checkpoint, default first.
        gate: Limits for `edgekit export`.
        calibration_samples: Default number of calibration samples.
        train: The training recipe, as read; `edgekit.training` owns its keys.
        source: Paper or code that defines the architecture.
        licence: SPDX identifier of the weights.
    """

    name: str
    summary: str
    task: str
    inputs: tuple[InputSpec, ...]
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    output: str = "output"
    activation: str = ""
    metric: str = "top1"
    datasets: tuple[str, ...] = ()
    gate: Gate = Gate()
    calibration_samples: int = 128
    train: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    licence: str = ""


def read_model_toml(path: Path, overrides: Mapping[str, Scalar] | None = None) -> ModelSpec:
    """Parse `model.toml`.

    Args:
        path: The file.
        overrides: Replaces values under `[parameters]` (`--set width=0.5`).

    Raises:
        ModelError: The file is absent, is not TOML, or a key is missing, unknown or of the wrong
            type; the message names the key.
    """
    try:
        with path.open("rb") as stream:
            data = tomllib.load(stream)
    except FileNotFoundError:
        raise ModelError(f"{path.parent}: no model.toml in this folder") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not valid TOML: {error}") from error
    return _Reader(path).model(data, dict(overrides or {}))


class _Reader:
    """Turns parsed TOML into a `ModelSpec`, naming the file and key in every complaint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def model(self, data: dict[str, Any], overrides: dict[str, Scalar]) -> ModelSpec:
        parameters = self.take(data, "parameters", dict, {})
        for key, value in overrides.items():
            if key not in parameters:
                raise ModelError(
                    f"{self.path}: no parameter {key!r}",
                    hint=f"one of: {', '.join(sorted(parameters)) or '(it has none)'}",
                )
            self.same_kind(key, value, parameters[key])
        parameters = {**parameters, **overrides}
        spec = ModelSpec(
            name=self.take(data, "name", str),
            summary=self.take(data, "summary", str, ""),
            task=self.choice("task", self.take(data, "task", str), TASKS),
            inputs=tuple(
                self.input(entry, parameters) for entry in self.take(data, "inputs", list)
            ),
            parameters=parameters,
            output=self.take(data, "output", str, "output"),
            activation=self.choice(
                "activation", self.take(data, "activation", str, ""), ("", "softmax", "sigmoid")
            ),
            metric=self.take(data, "metric", str, "top1"),
            datasets=tuple(self.all_text("datasets", self.take(data, "datasets", list, []))),
            gate=self.gate(self.take(data, "gate", dict, {})),
            calibration_samples=self.take(data, "calibration_samples", int, 128),
            train=self.take(data, "train", dict, {}),
            source=self.take(data, "source", str, ""),
            licence=self.take(data, "licence", str, ""),
        )
        self.nothing_left("", data)
        if not spec.inputs:
            raise ModelError(f"{self.path}: inputs: at least one is needed")
        return spec

    def input(self, entry: Any, parameters: Mapping[str, Scalar]) -> InputSpec:
        if not isinstance(entry, dict):
            raise ModelError(f"{self.path}: inputs: write [[inputs]] tables")
        low, high = self.pair("inputs.range", self.take(entry, "range", list, [0, 255]))
        spec = InputSpec(
            name=self.take(entry, "name", str),
            dtype=self.choice("inputs.dtype", self.take(entry, "dtype", str), DTYPES),
            shape=tuple(self.size(item, parameters) for item in self.take(entry, "shape", list)),
            layout=self.choice("inputs.layout", self.take(entry, "layout", str, ""), ("", "HWC")),
            range=(low, high),
            resize=self.choice(
                "inputs.resize", self.take(entry, "resize", str, ""), ("", "bilinear")
            ),
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


def parse_settings(settings: Iterable[str]) -> dict[str, Scalar]:
    """`--set KEY=VALUE` as overrides of `[parameters]`; values read as TOML does, else as text.

    Raises:
        UsageError: An entry without `=` or without a key.
    """
    found: dict[str, Scalar] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not (key.strip() and equals):
            raise UsageError(f"--set {setting}: expected KEY=VALUE", hint="--set width=0.5")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        found[key.strip()] = value if isinstance(value, bool | int | float) else text.strip('"')
    return found
