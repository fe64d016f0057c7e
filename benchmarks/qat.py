"""Quantization-aware fine-tuning against conditioning: is training again worth it?

A trained classifier is cloned with fake quantization (Jacob et al. 2018, arXiv 1712.05877: kernels
per output channel, activations per tensor, straight-through gradients, batch norms frozen) and
fine-tuned on labelled training samples. Its weights, and the original ones, are then exported to
int8, both with conditioning and without; all eight-bit files of a target are compared with the
original's float on the same test samples.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.int8.judging import Judge
from edgekit.artifact import Artifact
from edgekit.datasets import draw
from edgekit.feeding import run_samples
from edgekit.job import Job
from edgekit.plan import EVALUATION_SPLIT, ExportOrder
from edgekit.transports.local import LocalTransport
from edgekit.verbs.export import ExportRequest, export, plan_export

_MODELS = (("mobilenet-v3-small", "glyphs"), ("mobilenet-v1", "glyphs"))
_SAMPLES, _EPOCHS, _BATCH, _RATE = 6144, 3, 64, 2e-5
_ANY_DROP = 100.0


def run(*, quick: bool = False, only: Sequence[str] = ()) -> dict[str, Any]:
    """Points lost against the original's float, by target and by way.

    Args:
        quick: The first model alone, on a sixth of the samples.
        only: Names of models.
    """
    chosen = [entry for entry in _MODELS if not only or entry[0] in only]
    models = {}
    for model, dataset in chosen[:1] if quick else chosen:
        models[f"{model}/{dataset}"] = _compare(model, dataset, _SAMPLES // (6 if quick else 1))
    return {"benchmark": "qat", "epochs": _EPOCHS, "learning_rate": _RATE, "models": models}


def _compare(model: str, dataset: str, samples: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="edgekit-benchmark-") as name:
        scratch = Path(name)
        order = plan_export(ExportRequest(model, dataset=dataset))[0]
        tuned = scratch / "tuned.weights.h5"
        begun = time.perf_counter()
        task: dict[str, Any] = {"model": order.source.to_json(), "weights": str(order.weights)}
        task |= {"dataset": dataset, "samples": samples, "out": str(tuned)}
        command = [sys.executable, "-m", "benchmarks.qat", json.dumps(task)]
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - begun
        outputs: dict[str, dict[str, Any]] = {}
        for way, weights in (("original", order.weights), ("fine-tuned", tuned)):
            for condition in (False, True):
                label = f"{way}, {'conditioned' if condition else 'as it is'}"
                place = scratch / f"{way}-{condition}"
                outputs[label] = _outputs(order, weights, place, condition=condition)
        return {
            "samples": samples,
            "fine_tuning_seconds": round(seconds, 1),
            "targets": _judged(order, outputs),
        }


def _outputs(
    order: ExportOrder, weights: Path | None, place: Path, *, condition: bool
) -> dict[str, Any]:
    """Artifact label → its outputs on the test split."""
    assert order.dataset is not None
    request = ExportRequest(
        order.source.name,
        dataset=order.dataset.name,
        weights=weights,
        precisions=("fp32", "int8"),
        condition=condition,
        max_drop=_ANY_DROP,
        out=place,
    )
    samples = _test(order) / "inputs.npy"
    found = {}
    for artifact in export(request).artifacts:
        manifest = Artifact.open(artifact.path).manifest
        job = Job(action="run", runtime=manifest.runtime, model=str(artifact.model_path))
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            found[artifact.path.name] = run_samples(
                LocalTransport(), job,
                inputs=manifest.inputs, outputs=manifest.outputs,
                samples=samples, scratch=Path(scratch),
            )[0]  # fmt: skip
    return found


def _test(order: ExportOrder) -> Path:
    assert order.dataset is not None
    assert order.source.spec is not None
    specs = order.source.spec.inputs
    return draw(order.dataset, EVALUATION_SPLIT, order.evaluation_samples, specs).folder


def _judged(order: ExportOrder, outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    judge = Judge(order.metric, np.load(_test(order) / "labels.npy"))
    reference = outputs["original, as it is"]
    kept = ("value", "drop", "drop_ci95", "mcnemar_p", "same")
    return {
        label: {
            way: {
                key: value
                for key, value in judge.against(
                    files[label], reference[f"{label.partition('-')[0]}-fp32"]
                ).items()
                if key in kept
            }
            for way, files in outputs.items()
            if label in files
        }
        for label in sorted(reference)
    }


# -- fine-tuning, in a process of its own ----------------------------------------------------------


def fine_tune(request: dict[str, Any]) -> None:
    """Fine-tune a model with fake quantization and save its weights."""
    import keras
    import numpy as np

    from benchmarks.fake_quantization import with_fake_quantization
    from edgekit.datasets import open_dataset
    from edgekit.loading import build_keras
    from edgekit.models import resolve_model

    source = resolve_model(**request["model"])
    assert source.spec is not None
    dataset = open_dataset(request["dataset"])
    drawn = draw(dataset, "train", request["samples"], source.spec.inputs).folder
    inputs, labels = np.load(drawn / "inputs.npy"), np.load(drawn / "labels.npy")
    keras.utils.set_random_seed(0)
    weights = Path(request["weights"])
    model = build_keras(source, weights=weights, classes=len(dataset.classes))
    student = with_fake_quantization(model)
    steps = _EPOCHS * (len(inputs) // _BATCH)
    student.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_RATE, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    student.fit(inputs, labels, batch_size=_BATCH, epochs=_EPOCHS, verbose=2)
    for layer in model.layers:
        layer.set_weights(student.get_layer(layer.name).get_weights())
    model.save_weights(request["out"])


if __name__ == "__main__":
    fine_tune(json.loads(sys.argv[1]))
