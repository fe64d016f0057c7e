"""Which loop makes samples with a model: what it takes and what it gives says it.

    pixels     levels [h, w, 1] → logits [h, w, levels]: pixel by pixel
    instants   levels [window] of sound → logits [window, levels]: instant by instant
    diffusion  a picture and an integer time → noise, alike: from noise, step by step
    points     a vector → a picture in 0–1: one call for a point of a normal distribution

Knows the shapes of a manifest and the loops. Does not run a model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.errors import UsageError
from edgekit.generating.asking import Ask, Told, nobody
from edgekit.generating.diffusion import denoise
from edgekit.generating.mulaw import LEVELS, compress, expand
from edgekit.generating.steps import by_instant, by_pixel
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person may choose, as far as a loop has it.

    Attributes:
        steps: Calls of diffusion; None for an eighth of its times.
        seconds: Of sound; None for a tenth.
        temperature: Divides the logits that are drawn from; None for 1.
    """

    steps: int | None = None
    seconds: float | None = None
    temperature: float | None = None


class Kind(ABC):
    """One way to make samples.

    Attributes:
        name: As listed above.
        heeds: Which wishes it has a use for.
        rate_hz: Instants a second of sound; 0 of pictures.
        calls: Of the model, for one sample.
    """

    name: ClassVar[str]
    heeds: ClassVar[tuple[str, ...]] = ()
    rate_hz: int = 0
    calls: int

    @abstractmethod
    def make(self, ask: Ask, count: int, random: np.random.Generator, told: Told = nobody) -> Array:
        """Samples: pictures uint8 [count, h, w, 1 or 3], or sounds float64 [count, T] in −1–1.

        Args:
            ask: The model; arrays come in the order of the inputs that the kind was found by.
            count: How many.
            random: What is made follows from it.
            told: Told how many steps are done, of how many.
        """


class Pixels(Kind):
    """`by_pixel`; levels are shown from black to white."""

    name = "pixels"
    heeds = ("temperature",)

    def __init__(self, height: int, width: int, levels: int, wishes: Wishes) -> None:
        self.calls = height * width
        self._height, self._width, self._most = height, width, levels - 1
        self._temperature = _or(wishes.temperature, 1.0)

    def make(self, ask: Ask, count: int, random: np.random.Generator, told: Told = nobody) -> Array:
        levels = by_pixel(
            ask,
            height=self._height,
            width=self._width,
            count=count,
            random=random,
            temperature=self._temperature,
            told=told,
        )
        return _greys(levels[..., None] / self._most)


class Instants(Kind):
    """`by_instant`, after silence; levels are those of µ-law."""

    name = "instants"
    heeds = ("seconds", "temperature")

    def __init__(self, window: int, rate_hz: int, wishes: Wishes) -> None:
        self.rate_hz = rate_hz
        self.calls = max(1, round(_or(wishes.seconds, SECONDS) * rate_hz))
        self._window, self._temperature = window, _or(wishes.temperature, 1.0)

    def make(self, ask: Ask, count: int, random: np.random.Generator, told: Told = nobody) -> Array:
        import numpy as np

        levels = by_instant(
            ask,
            window=self._window,
            first=int(compress(np.zeros(()))),
            instants=self.calls,
            count=count,
            random=random,
            temperature=self._temperature,
            told=told,
        )
        return expand(levels)


class Diffusion(Kind):
    """`denoise`.

    Raises:
        UsageError: More steps are wished for than there are times.
    """

    name = "diffusion"
    heeds = ("steps",)

    def __init__(self, shape: tuple[int, ...], times: int, wishes: Wishes) -> None:
        self.calls = wishes.steps if wishes.steps is not None else max(1, times // 8)
        if self.calls > times:
            raise UsageError(f"--steps {self.calls}: the model knows {times} times")
        self._shape, self._times = shape, times

    def make(self, ask: Ask, count: int, random: np.random.Generator, told: Told = nobody) -> Array:
        pictures = denoise(
            ask,
            shape=self._shape,
            times=self._times,
            steps=self.calls,
            count=count,
            random=random,
            told=told,
        )
        return _greys((pictures + 1) / 2)


class Points(Kind):
    """One call for each point of a standard normal distribution."""

    name = "points"
    calls = 1

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions

    def make(self, ask: Ask, count: int, random: np.random.Generator, told: Told = nobody) -> Array:
        import numpy as np

        points = random.standard_normal((count, self._dimensions), np.float32)
        made = []
        for number in range(count):
            made.append(ask([points[number : number + 1]])[0])
            told(number + 1, count)
        return _greys(np.concatenate(made))


def kind_of(
    inputs: Sequence[InputSpec], outputs: Sequence[TensorInfo], wishes: Wishes, *, owner: str
) -> Kind:
    """The loop for a model.

    Args:
        inputs: As its manifest has them.
        outputs: Likewise; the first counts.
        wishes: What a person chose.
        owner: For complaints.

    Raises:
        UsageError: It is no model that makes samples, or not of such a size, or its loop has no use
            for what was wished.
    """
    kind = _kind_of(inputs, outputs, wishes, owner)
    for field in fields(wishes):
        if getattr(wishes, field.name) is not None and field.name not in kind.heeds:
            raise UsageError(
                f"--{field.name} means nothing to {owner}, whose loop is {kind.name}",
                hint="docs/generate.md says which loop has which options",
            )
    return kind


def _kind_of(
    inputs: Sequence[InputSpec], outputs: Sequence[TensorInfo], wishes: Wishes, owner: str
) -> Kind:
    given, first = tuple(outputs[0].shape[1:]), inputs[0]
    pictures = len(given) == 3
    if len(inputs) == 2:
        time = inputs[1]
        if given == first.shape and time.dtype in ("int32", "int64") and not time.shape:
            return Diffusion(given, round(time.range[1]) + 1, wishes)
    elif first.rate_hz:
        if given == (*first.shape, LEVELS):
            return Instants(first.shape[0], first.rate_hz, wishes)
    elif pictures and first.shape == (*given[:2], 1) and first.range == (0.0, given[2] - 1.0):
        return Pixels(given[0], given[1], given[2], wishes)
    elif pictures and given[2] in (1, 3) and len(first.shape) == 1 and first.dtype == "float32":
        return Points(first.shape[0])
    takes = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in inputs)
    raise UsageError(
        f"{owner}: it takes {takes} and gives {outputs[0].name} {list(given)}; "
        "no loop makes samples with that",
        hint="docs/generate.md says what generate can run",
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _greys(shares: Array) -> Array:
    """0–1 as uint8."""
    import numpy as np

    return np.asarray(np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8))
