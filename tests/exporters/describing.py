"""Files written anew with what they say of themselves, and what they compute then."""

from __future__ import annotations

import shutil
from dataclasses import replace

from edgekit import registry
from edgekit.agent.runtimes import runtime_class
from edgekit.exporters.metadata.facts import Facts
from edgekit.spec import InputSpec

KNOWN = ("tflite-fp32", "tflite-int8", "tflite-int8-int8", "onnx-fp32", "onnx-int8",
         "openvino-fp32", "openvino-int8")  # fmt: skip
PIXELS = InputSpec("image", "uint8", (24, 24, 3), "HWC", resize="bilinear")
CENTRED = replace(PIXELS, dtype="float32", range=(-1.0, 1.0))
IMAGENET = replace(
    CENTRED,
    range=(-2.2, 2.7),
    channel_ranges=tuple(
        ((0 - m) / s, (1 - m) / s) for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    ),
)
TEXT = InputSpec("tokens", "int32", (24, 24, 3), "tokens", range=(0.0, 59.0), tokenizer="wordpiece")


def facts_of(artifact, **changes):
    manifest = artifact.manifest
    usual = Facts(
        model="known",
        summary="Drawn letters and digits.",
        task="image-classification",
        licence="Apache-2.0",
        activation=manifest.activation,
        labels=artifact.labels,
        inputs=manifest.preprocessing,
    )
    return replace(usual, **changes)


def described(artifact, folder, **changes):
    """The artifact's files, written anew with what they say of themselves."""
    source, out = folder / "source", folder / "out"
    for place in (source, out):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    for path in artifact.path.glob("model.*"):
        shutil.copy(path, source)
    exporter = registry.load(registry.EXPORTERS, artifact.target)()
    exporter.describe(source, out, facts_of(artifact, **changes))
    return out / artifact.manifest.model_file


def ran(runtime, file, samples):
    """Outputs for each sample, and where the ops ran."""
    model = runtime_class(runtime)().load(file, threads=1, delegate=None)
    taken = model.inputs[0]
    outputs = []
    for sample in samples:
        zero = 128 if taken.dtype == "int8" else 0  # its step is 1
        wide = sample[None].astype(float if taken.dtype == "float32" else int)
        model.set_inputs([(wide - zero).astype(taken.dtype)])
        model.invoke()
        outputs += [array.tobytes() for array in model.get_outputs()]
    return outputs, model.placement()
