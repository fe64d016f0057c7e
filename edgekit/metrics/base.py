"""What a figure of accuracy is: a value with its unit and interval, maybe its drop.

Outputs are judged once, sample by sample; figures, and differences between two models judged on the
same samples, are made of that. How is said beside this file, one file a task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError
from edgekit.fields import Fields
from edgekit.statistics import paired_difference

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


# By which rounded figures that belong together may miss each other.
_ROUNDING = 0.001


@dataclass(frozen=True, slots=True)
class Scale:
    """What a metric counts in, and which way is better.

    Attributes:
        unit: The word for differences: "points", "dB".
        symbol: What stands behind a value: "%", "dB"; "" for nothing.
        lowest: Smallest value there can be.
        highest: Largest one.
        better: 1 where more is better, −1 where less is.
    """

    unit: str
    symbol: str
    lowest: float
    highest: float
    better: int = 1

    @property
    def widest(self) -> float:
        """No difference is larger."""
        return self.highest - self.lowest

    def text(self, value: float) -> str:
        """`97.17 %`."""
        return f"{value:.2f} {self.symbol}".rstrip()

    def of(self, name: str) -> str:
        """What a difference is of, in words: `points of top1`; of what is its own unit, its name.

        Args:
            name: Of the metric.
        """
        return f"{self.unit} of {name}" if self.unit != name else name

    def drop(self, value: float, reference: float) -> float:
        """How much worse `value` is than `reference`; below 0 where it is better."""
        return self.better * (reference - value) + 0.0

    def drop_interval(self, interval: tuple[float, float]) -> tuple[float, float]:
        """The interval of a drop from that of (reference − value)."""
        low, high = interval
        return (low + 0.0, high + 0.0) if self.better > 0 else (-high + 0.0, -low + 0.0)


POINTS = Scale("points", "%", 0.0, 100.0)
SCALES = {
    scale.unit: scale
    for scale in (
        POINTS,
        Scale("dB", "dB", -1e6, 1e6),
        Scale("bits", "bits", 0.0, 1e6, better=-1),
        Scale("distance", "", 0.0, 1e9, better=-1),
        Scale("return", "", -1e9, 1e9),
    )
}


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A metric of one artifact, and its drop against a reference on the same samples.

    Attributes:
        name: Name in `edgekit.metrics.METRICS`.
        samples: How many samples it was measured on.
        value: The artifact's figure, in `unit`.
        ci95: 95 % interval of `value`.
        reference: The reference's figure; None when there was none.
        drop: How much worse `value` is than `reference`: their difference, below 0 where the
            artifact is better.
        drop_ci95: 95 % paired interval of `drop`.
        unit: A key of `SCALES`.
    """

    name: str
    samples: int
    value: float
    ci95: tuple[float, float]
    reference: float | None = None
    drop: float | None = None
    drop_ci95: tuple[float, float] | None = None
    unit: str = POINTS.unit

    @property
    def scale(self) -> Scale:
        """What it counts in."""
        return SCALES[self.unit]

    def to_json(self) -> dict[str, Any]:
        unit = {} if self.unit == POINTS.unit else {"unit": self.unit}
        return {
            "name": self.name,
            "samples": self.samples,
            "value": round(self.value, 4),
            "ci95": _rounded(self.ci95),
            "reference": None if self.reference is None else round(self.reference, 4),
            "drop": None if self.drop is None else round(self.drop, 4),
            "drop_ci95": None if self.drop_ci95 is None else _rounded(self.drop_ci95),
            **unit,
        }

    @staticmethod
    def from_json(data: Any) -> MetricValue:
        """Check and rebuild.

        Raises:
            ArtifactError: A key is missing, unknown, of the wrong type or out of bounds, an
                interval doesn't hold its figure, or the drop isn't the figures' difference.
        """
        fields = Fields(data, "metric", ArtifactError)
        unit = fields.text("unit", POINTS.unit, choices=tuple(SCALES))
        scale = SCALES[unit]
        low, high, widest = scale.lowest, scale.highest, scale.widest
        value = MetricValue(
            name=fields.name("name"),
            samples=fields.integer("samples", low=1, high=10**9),
            value=fields.number("value", low=low, high=high),
            ci95=fields.interval("ci95", low=low, high=high),
            reference=fields.optional_number("reference", low=low, high=high),
            drop=fields.optional_number("drop", low=-widest, high=widest),
            drop_ci95=fields.optional_interval("drop_ci95", low=-widest, high=widest),
            unit=unit,
        )
        fields.done()
        held = ((value.value, "ci95", value.ci95), (value.drop, "drop_ci95", value.drop_ci95))
        for figure, key, interval in held:
            if figure is not None and interval is not None and not _holds(interval, figure):
                raise fields.fail(
                    key, f"{interval[0]:g} to {interval[1]:g} doesn't hold {figure:g}"
                )
        if value.reference is not None and value.drop is not None:
            drop = scale.drop(value.value, value.reference)
            if abs(drop - value.drop) > _ROUNDING:
                between = "reference − value" if scale.better > 0 else "value − reference"
                raise fields.fail("drop", f"{value.drop:g} is not {between}, which is {drop:g}")
        return value


def _holds(interval: tuple[float, float], figure: float) -> bool:
    return interval[0] - _ROUNDING <= figure <= interval[1] + _ROUNDING


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(pair[0], 4), round(pair[1], 4)]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What became of each sample of one model's outputs; a metric's own class holds the rest.

    Attributes:
        samples: How many count for the metric.
        marks: One number per sample, [samples]: whether it is right (bool) or the class that was
            answered (integers), from which `Metric.recall` makes it again; None where one number
            does not hold it.
    """

    samples: int
    marks: Array | None


@dataclass(frozen=True, slots=True)
class Gap:
    """How two models differ on the same samples.

    Attributes:
        first: The first's figure, in the metric's unit.
        second: The second's.
        ci95: 95 % paired interval of second − first.
        lost: Samples on which the second does worse than the first.
        won: Samples on which it does better.
        least: Smallest difference that this many samples can show at all, however little
            the models differ; 0 where that is not known.
    """

    first: float
    second: float
    ci95: tuple[float, float]
    lost: int
    won: int
    least: float = 0.0


class Metric(ABC):
    """One way to judge outputs by labels.

    Attributes:
        name: Name in `edgekit.metrics.METRICS`.
        task: Tasks (`edgekit.spec.TASKS`) it fits end with this word.
        scale: What it counts in, and which way is better.
        samples_are: What is counted and drawn: "samples" or "pictures".
        interval: How intervals are found, in words.
        paired_interval: How those of differences are.
        test: How the p value of a difference is.
        enough: With fewer samples intervals are rough, and said to be.
    """

    name: str
    task: str = "classification"
    scale: Scale = POINTS
    samples_are: str = "samples"
    interval: str
    paired_interval: str
    test: str
    enough: int = 30

    @abstractmethod
    def judge(self, outputs: Sequence[Array], labels: Array) -> Any:
        """What became of each sample: a `Judged` of the metric's own.

        Args:
            outputs: One [N, ...] array per output of the model, in its order.
            labels: As `edgekit.datasets` gives them, [N, ...].

        Raises:
            DataError: No sample counts for it.
        """

    @abstractmethod
    def recall(self, marks: Array, labels: Array) -> Any:
        """The `Judged` that had these `marks` on samples with these labels.

        Raises:
            ArtifactError: They cannot be marks of these samples.
        """

    @abstractmethod
    def figure(self, judged: Any) -> tuple[float, tuple[float, float]]:
        """The figure and its 95 % interval."""

    @abstractmethod
    def gap(self, first: Any, second: Any) -> Gap:
        """How the second differs from the first, both judged on the same samples."""

    @abstractmethod
    def p_value(self, first: Any, second: Any) -> float:
        """Chance of a difference this large if the two were equally good: two-sided, 0–1."""

    def measure(
        self, outputs: Sequence[Array], labels: Array, reference: Sequence[Array] | None
    ) -> MetricValue:
        """The figure of `outputs`, and its drop where `reference` is given.

        Args:
            outputs: One [N, ...] array per output of the model, in its order.
            labels: As `edgekit.datasets` gives them, [N, ...].
            reference: Outputs of the model it was made from, on the same samples.
        """
        judged = self.judge(outputs, labels)
        return self.value(judged, None if reference is None else self.judge(reference, labels))

    def value(self, judged: Any, reference: Any = None) -> MetricValue:
        """The figure of what was judged, and its drop where the reference was judged, too."""
        value, ci95 = self.figure(judged)
        unit = self.scale.unit
        if reference is None:
            return MetricValue(self.name, judged.samples, value, ci95, unit=unit)
        gap = self.gap(judged, reference)
        return MetricValue(
            name=self.name,
            samples=judged.samples,
            value=value,
            ci95=ci95,
            reference=gap.second,
            drop=self.scale.drop(gap.first, gap.second),
            drop_ci95=self.scale.drop_interval(gap.ci95),
            unit=unit,
        )


# A sample that only one of two models gets right tells them apart; a bootstrap that has fewer such
# samples than this to draw from calls the difference more certain than it is.
_FEW = 10


def widened(
    interval: tuple[float, float], *, lost: int, won: int, differing: int, samples: int
) -> tuple[float, float]:
    """A bootstrapped interval of a difference, wide enough where few samples tell the two apart.

    Then it is joined with what the share of right samples would have (`paired_difference`).

    Args:
        interval: In points (0–100).
        lost: Samples on which the second does worse.
        won: Samples on which it does better.
        differing: Samples on which the two give something else at all.
        samples: All of them.
    """
    if differing >= _FEW:
        return interval
    low, high = paired_difference(won, lost, samples)
    return min(interval[0], 100 * low), max(interval[1], 100 * high)


def percentiles(resampled: Array, value: float) -> tuple[float, float]:
    """The middle 95 % of resampled figures, stretched to hold the figure itself.

    Efron 1979, doi:10.1214/aos/1176344552.
    """
    import numpy as np

    low, high = np.quantile(resampled, (0.025, 0.975))
    return min(float(low), value), max(float(high), value)


def p_of_permutations(observed: float, permuted: Array) -> float:
    """Two-sided p of a permutation test with randomly drawn permutations.

    Phipson and Smyth 2010 (doi:10.2202/1544-6115.1585): the observed order is one of them, so p is
    never 0.

    Args:
        observed: The difference as it is.
        permuted: [R], differences with the models exchanged in a random half of the samples.
    """
    import numpy as np

    # Rounding must not make an equal difference a smaller one.
    reached = int((np.abs(permuted) >= abs(observed) - 1e-9).sum())
    return (1 + reached) / (1 + len(permuted))
