"""What models that make pictures make: float beside int8, as the cards show it.

Of each model that is asked for with `--only`, the artifacts of `edgekit export NAME --int8` in
`build/` make pictures of the first test samples, and `predictions.png` in the model's folder shows
them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifact import Artifact
from edgekit.datasets import open_dataset
from edgekit.feeding import run_samples
from edgekit.job import Job
from edgekit.models import resolve_model
from edgekit.samples import write_samples
from edgekit.training.pictures import draw_rows
from edgekit.transports.local import LocalTransport

_ROW = 12
_LINES = 3  # of a model without given pictures


def run(only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Draw them; the figures are mean differences of int8 pictures from float ones, in levels."""
    return {name: _drawn(name) for name in only}


def _drawn(name: str) -> float:
    source = resolve_model(name)
    assert source.spec is not None
    folder = Path("build") / name
    made = [Artifact.open(folder / f"tflite-{precision}") for precision in ("fp32", "int8")]
    trained_on = made[0].manifest.dataset
    assert trained_on is not None
    dataset, (spec,) = open_dataset(trained_on), source.spec.inputs
    samples = dataset.read("test", range(_LINES * _ROW), spec)
    exact, small = (_made(one, samples.inputs) for one in made)
    rows: dict[str, Any] = {}
    if spec.channels:
        rows = {"given": samples.inputs, "fp32": exact, "int8": small, "others": samples.labels}
    else:
        for line in range(_LINES):
            part = slice(line * _ROW, (line + 1) * _ROW)
            rows |= {f"fp32{' ' * line}": exact[part], f"int8{' ' * line}": small[part]}
        rows["real"] = samples.labels
    draw_rows(rows, source.path / "predictions.png")
    return float(255 * np.abs(exact - small).mean())


def _made(artifact: Artifact, inputs: Any) -> Any:
    with tempfile.TemporaryDirectory(prefix="edgekit-pictures-") as scratch:
        place = write_samples(Path(scratch) / "given", {artifact.manifest.inputs[0].name: inputs})
        (pictures,), _ = run_samples(
            LocalTransport(),
            Job(action="run", runtime="litert", model=str(artifact.model_path), threads=1),
            inputs=artifact.manifest.inputs,
            outputs=artifact.manifest.outputs,
            samples=place,
            scratch=Path(scratch),
        )
    return pictures
