"""What a figure of accuracy is: a value in points with its interval, maybe its drop.

Knows numbers. How they are computed is said beside this file, one file a task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError
from edgekit.fields import Fields

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A metric of one artifact, and its drop against a reference on the same samples.

    Attributes:
        name: Name in `edgekit.metrics.METRICS`.
        samples: How many samples it was measured on.
        value: The artifact's figure, in points.
        ci95: 95 % interval of `value`, in points.
        reference: The reference's figure, in points; None when there was none.
        drop: reference − value, in points.
        drop_ci95: 95 % paired interval of `drop`, in points.
    """

    name: str
    samples: int
    value: float
    ci95: tuple[float, float]
    reference: float | None = None
    drop: float | None = None
    drop_ci95: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "samples": self.samples,
            "value": round(self.value, 4),
            "ci95": _rounded(self.ci95),
            "reference": None if self.reference is None else round(self.reference, 4),
            "drop": None if self.drop is None else round(self.drop, 4),
            "drop_ci95": None if self.drop_ci95 is None else _rounded(self.drop_ci95),
        }

    @staticmethod
    def from_json(data: Any) -> MetricValue:
        """Check and rebuild.

        Raises:
            ArtifactError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "metric", ArtifactError)
        value = MetricValue(
            name=fields.name("name"),
            samples=fields.integer("samples", low=1, high=10**9),
            value=fields.number("value", high=100.0),
            ci95=fields.interval("ci95", low=0.0, high=100.0),
            reference=fields.optional_number("reference", high=100.0),
            drop=fields.optional_number("drop", low=-100.0, high=100.0),
            drop_ci95=fields.optional_interval("drop_ci95", low=-100.0, high=100.0),
        )
        fields.done()
        return value


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(pair[0], 4), round(pair[1], 4)]


class Metric(ABC):
    """One way to judge outputs by labels.

    Attributes:
        name: Name in `edgekit.metrics.METRICS`.
        task: Tasks (`edgekit.spec.TASKS`) it fits end with this word.
    """

    name: str
    task: str = "classification"

    @abstractmethod
    def measure(
        self, outputs: Sequence[Array], labels: Array, reference: Sequence[Array] | None
    ) -> MetricValue:
        """The figure of `outputs`, and its drop where `reference` is given.

        Args:
            outputs: One [N, ...] array per output of the model, in its order.
            labels: As `edgekit.datasets` gives them, [N, ...].
            reference: Outputs of the model it was made from, on the same samples.
        """
