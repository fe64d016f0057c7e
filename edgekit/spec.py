"""What a model is, as data: its inputs, its limits, its recipe, typed.

Reading a `model.toml` is `edgekit.modelfile`'s, finding models `edgekit.models`'.
"""

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.errors import EdgekitError, ModelError, UsageError
from edgekit.fields import Fields

Scalar = bool | int | float | str

# What comes behind the hyphen says what labels are; metrics and objectives go by it.
TASKS = (
    "image-classification",
    "object-detection",
    "text-classification",
    "audio-classification",
    "sequence-classification",  # a window of a sensor's readings
    "video-classification",
    "sequence-tagging",  # a class for each step
    "text-reading",  # a picture's characters, in order
    "image-segmentation",  # a class for each pixel
    "image-reconstruction",  # the picture itself, from less
    "image-modelling",  # the next value, given those before
    "audio-modelling",
    "language-modelling",
    "masked-language-modelling",
    "text-translation",
    "image-translation",
    "image-generation",
    "object-tracking",
    "control",  # an action for a state of a world
)
LAYOUTS = ("", "HWC", "tokens", "waveform")  # of edgekit's own models; a file may have "CHW"
TOKENIZERS = ("", "bytes", "wordpiece")
RESIZES = ("", "bilinear", "letterbox")
DTYPES = ("uint8", "int8", "int32", "int64", "float16", "float32")

MOST_VALUES = 2**31  # of one sample


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model, and how a sample of the world becomes it.

    Attributes:
        name: Name of the input in every artifact.
        dtype: numpy dtype name at the model's boundary.
        shape: Without the batch axis; images are (height, width, channels), or channels first.
        layout: "HWC" or "CHW" for pictures, "tokens" for text (one number a token, 0 fills up),
            "waveform" for sound (one number an instant), "" for anything else.
        range: Lowest and highest value the model expects, in units of `dtype`.
        resize: For pictures: "bilinear" (antialiased, aspect ratio not kept) or "letterbox" (the
            same, aspect ratio kept, grey at the sides: `edgekit.datasets.images`).
        tokenizer: For text: what turns it into tokens, a reference of `edgekit.tokenizing`.
        rate_hz: For sound: instants a second; 0 for anything else.
        channel_ranges: For pictures whose channels are scaled apart (by means and deviations): what
            levels 0 and 255 of each channel become; `range` spans them all. Empty where `range`
            holds for all channels.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str = ""
    range: tuple[float, float] = (0.0, 255.0)
    resize: str = ""
    tokenizer: str = ""
    rate_hz: int = 0
    channel_ranges: tuple[tuple[float, float], ...] = ()

    @property
    def channels(self) -> int:
        """Of a picture's tensor; 0 for anything else."""
        axis = {"HWC": -1, "CHW": 0}.get(self.layout)
        return self.shape[axis] if axis is not None else 0

    def to_json(self) -> dict[str, Any]:
        data = {**asdict(self), "shape": list(self.shape), "range": list(self.range)}
        ranges = [list(pair) for pair in data.pop("channel_ranges")]
        return data | ({"channel_ranges": ranges} if ranges else {})

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
            layout=fields.text("layout", choices=(*LAYOUTS, "CHW")),
            range=fields.interval("range", low=-largest, high=largest),
            resize=fields.text("resize", choices=RESIZES),
            tokenizer=fields.text("tokenizer", longest=200),
            rate_hz=fields.integer("rate_hz", low=0, high=1_000_000),
            channel_ranges=_channel_ranges(fields),
        )
        fields.done()
        if math.prod(spec.shape) > MOST_VALUES:
            raise fields.fail("shape", f"{list(spec.shape)} is more than {MOST_VALUES:,} values")
        if (spec.layout in ("HWC", "CHW") or spec.resize) and len(spec.shape) != 3:
            raise fields.fail(
                "shape", f"{list(spec.shape)} is no picture [height, width, channels]"
            )
        if spec.channel_ranges and len(spec.channel_ranges) != spec.channels:
            raise fields.fail("channel_ranges", f"one pair for each of {spec.channels} channels")
        return spec


def _channel_ranges(fields: Fields) -> tuple[tuple[float, float], ...]:
    found = []
    for pair in fields.items("channel_ranges", (), most=4):
        numbers = pair if isinstance(pair, list) else []
        if len(numbers) != 2 or not all(
            isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n)
            for n in numbers
        ):
            raise fields.fail("channel_ranges", "expected pairs of finite numbers")
        found.append((float(numbers[0]), float(numbers[1])))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Gate:
    """Limits that an artifact must keep to exist.

    Attributes:
        max_drop: Points of the metric (0–100) that int8 may lose against Keras.
        max_abs: Largest difference of a float32 artifact's outputs from Keras's.
        strict: Whether `max_abs` also holds for outputs larger than 1 (else it grows with them).
        samples: Evaluation samples the metric is measured on.
        origin: Where the limits were set, for error messages.
        min_snr_db: Least power of the source's outputs over the error's where no metric is
            measured, in decibels; None for no limit.
        min_agreement: Least share (0–1) of samples whose highest output is the same there, where
            the output is one score a class; None for no limit.
    """

    max_drop: float = 1.0
    max_abs: float = 1e-4
    strict: bool = False
    samples: int = 2000
    origin: str = "edgekit's defaults"
    min_snr_db: float | None = None
    min_agreement: float | None = None


# Where nothing can be scored, a file must still be recognizably the same function.
UNLABELLED = Gate(min_snr_db=10.0, min_agreement=0.9)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a model is, with its own parameters and the classes of its default data set.

    Attributes:
        parameters: Weights, those that are not trained included.
        multiply_adds: Of convolutions and products of matrices, for one sample; what a loop repeats
            counts once.
    """

    parameters: int
    multiply_adds: int


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as its `model.toml` describes it.

    Attributes:
        name: Short name: the folder's, or `<folder>-<variant>`.
        summary: One line for listings.
        task: One of `TASKS`.
        parameters: Keyword arguments of `build()`.
        inputs: One entry per model input, in order.
        outputs: Names of the outputs, in order.
        activation: What the app applies to the last output ("softmax", "sigmoid" or "").
        metric: Name in `edgekit.metrics`.
        datasets: Data sets with a committed checkpoint, default first.
        gate: Limits for `edgekit export`.
        calibration_samples: Default number of calibration samples.
        train: The training recipe, as read; `edgekit.training` owns its keys.
        features: Name of the layer whose output the head reads: what comes before it is the
            backbone, which another data set's model may start from. "" if there is none.
        size: How large it is; None where the file does not say, or parameters were changed.
        variant: Which variant of the folder's model this is; "" for the one it is named after.
        source: Paper or code that defines the architecture.
        licence: SPDX identifier of the weights.
    """

    name: str
    summary: str
    task: str
    inputs: tuple[InputSpec, ...]
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("output",)
    activation: str = ""
    metric: str = "top1"
    datasets: tuple[str, ...] = ()
    gate: Gate = Gate()
    calibration_samples: int = 128
    train: Mapping[str, Any] = field(default_factory=dict)
    features: str = ""
    size: Size | None = None
    variant: str = ""
    source: str = ""
    licence: str = ""


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
