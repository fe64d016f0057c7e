"""What a rule of the linter found, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ALL_TARGETS = ("tflite", "onnx", "openvino")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a float graph that 8 bits will pay for.

    Attributes:
        rule: Name of the rule.
        ops: Nodes of the float graph it is about, in order of execution.
        value: The figure that made it a finding; what it is, `figure` says.
        figure: The figure in words, for the worst of the nodes.
        why: What it costs.
        targets: Where it does.
        rewrite: What would cure it.
        fix: Name of the rewrite of `edgekit.quantization.rewrite` that does; None where nothing
            does it by itself.
    """

    rule: str
    ops: tuple[str, ...]
    value: float
    figure: str
    why: str
    targets: tuple[str, ...]
    rewrite: str
    fix: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "ops": list(self.ops),
            "value": float(f"{self.value:.4g}"),
            "targets": list(self.targets),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Finding:
        return Finding(**{**data, "ops": tuple(data["ops"]), "targets": tuple(data["targets"])})

    def __str__(self) -> str:
        more = f" and {len(self.ops) - 1} more" if len(self.ops) > 1 else ""
        return f"{self.rule}: {self.ops[0]}{more}: {self.figure}"
