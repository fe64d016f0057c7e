"""What an explanation found, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.artifact import Artifact
from edgekit.quantization.explain.comparing import Compared
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.rewrite.applied import Applied

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found of an artifact, or of a model.

    Attributes:
        artifact: The artifact; None for a model alone.
        model: Name of the model.
        samples: How many samples were compared; 0 for a model alone.
        drawn_from: What they come from, in words.
        layers: Worst first: least signal over noise of the layer alone.
        unmatched: Layers of the file without a counterpart in the float graph.
        left_out: Kind of operator → how many are no layers of their own.
        apart: Largest difference between the file's outputs read with and without its layers,
            relative to the largest output.
        findings: Of the linter.
        rewrites: What was rewritten in a model's graph, where that was asked for.
    """

    artifact: Artifact | None
    model: str
    samples: int
    drawn_from: str
    findings: tuple[Finding, ...]
    layers: tuple[Compared, ...] = ()
    unmatched: tuple[Compared, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    apart: float = 0.0
    rewrites: tuple[Applied, ...] = ()

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"schema": SCHEMA, "model": self.model}
        if self.artifact is not None:
            manifest = self.artifact.manifest
            document |= {
                "artifact": str(self.artifact.path),
                "sha256": self.artifact.sha256,
                "target": manifest.target,
                "precision": manifest.precision,
                "layers": [_layer_json(entry) for entry in self.layers],
                "unmatched": [
                    {"layer": e.layer.name, "op": e.layer.op, "why": e.how} for e in self.unmatched
                ],
                "left_out": dict(self.left_out),
                "outputs_apart": float(f"{self.apart:.4g}"),
            }
        return {
            **document,
            "samples": self.samples,
            "drawn_from": self.drawn_from,
            "findings": [finding.to_json() for finding in self.findings],
            "rewrites": [rewrite.to_json() for rewrite in self.rewrites],
        }


def _layer_json(entry: Compared) -> dict[str, Any]:
    assert entry.whole is not None
    assert entry.alone is not None
    return {
        "layer": entry.layer.name,
        "op": entry.layer.op,
        "place": entry.place,
        "shape": list(entry.layer.shape),
        "dtype": entry.layer.dtype,
        "snr_db": entry.whole.to_json()["snr_db"],
        "alone_snr_db": entry.alone.to_json()["snr_db"],
        **{k: v for k, v in entry.whole.to_json().items() if k != "snr_db"},
        "tensor": entry.tensor,
        "matched": entry.how,
        "concordance": round(entry.concordance, 6),
    }
