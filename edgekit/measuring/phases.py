"""The pass "phases": from a raw sample to an answer, in edgekit's own Python code on this machine.

What a call of a model costs is not what an answer costs: a picture has to be decoded, resized and
put on the file's grid, and boxes have to be sorted out. The functions are those that export and
`eval` use, one sample at a time. An app's own code, in another language, has other times: this says
where they go, not what they are.

The raw sample is made of the artifact's last golden one, so that no data set is needed. Every
process is fresh; see `edgekit.passes` for the document.
"""

from __future__ import annotations

import io
import os
import time
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.feeding import real, typed
from edgekit.fields import Setting
from edgekit.passes import PHASES, Document, unavailable
from edgekit.process import Child, Emit, Handler
from edgekit.samples import read_samples, samples_at
from edgekit.spec import InputSpec
from edgekit.statistics import median, median_interval

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PROCESSES = 7
REPETITIONS = 30
WARMUP = 10

PICTURE = (640, 480)  # width and height of the raw picture, in pixels
QUALITY = 90
BEST = 5

_ENTRY = "edgekit.measuring.phases:serve"


@dataclass(frozen=True, slots=True)
class Steps:
    """One side of a call, and what it does in words.

    Attributes:
        do: The work.
        told: Its steps, in order.
    """

    do: Callable[[Any], Any]
    told: tuple[str, ...]


def measure_phases(
    artifact: Artifact,
    *,
    runtime: str,
    threads: int = 1,
    delegate: str | None = None,
    options: Mapping[str, Setting] | None = None,
    cpu: int | None = None,
    processes: int = PROCESSES,
    repetitions: int = REPETITIONS,
) -> Document:
    """The document of the pass.

    Args:
        artifact: With golden samples.
        runtime: That runs it, in this environment.
        threads: Of the runtime.
        delegate: As in a job.
        options: Of the delegate.
        cpu: Core to pin to.
        processes: Fresh processes, each measuring all three phases.
        repetitions: Of each phase in a process.

    Raises:
        EdgekitError: The artifact cannot be run.
    """
    if not samples_at(artifact.path / "golden").exists():
        return unavailable("the artifact has no golden sample to make a raw one of")
    payload = {
        "artifact": str(artifact.path),
        "runtime": runtime,
        "threads": threads,
        "delegate": delegate,
        "options": dict(options or {}),
        "cpu": cpu,
        "repetitions": repetitions,
    }
    answers = []
    for _ in range(processes):
        with Child(_ENTRY, environment=_importable()) as child:
            answers.append(child.call(payload, timeout_s=600.0))
    phases = {}
    for name in PHASES:
        medians = [answer["medians_ms"][name] for answer in answers]
        phases[name] = {"median_ms": median(medians), "ci95_ms": list(median_interval(medians))}
    return {
        "phases": phases,
        "steps": answers[0]["steps"],
        "sample": answers[0]["sample"],
        "processes": processes,
        "repetitions": repetitions,
        "evidence": "edgekit's Python code on this machine, wall time; an app's own code differs",
    }


def serve() -> Handler:
    """For `edgekit.process`: medians of the phases in this process."""

    def handle(payload: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        from edgekit.agent import machine
        from edgekit.agent.runtimes import runtime_class

        if payload["cpu"] is not None:
            machine.pin(payload["cpu"])
        artifact = Artifact.open(Path(payload["artifact"]))
        model = runtime_class(payload["runtime"])().load(
            artifact.model_path,
            threads=payload["threads"],
            delegate=payload["delegate"],
            options=payload["options"],
        )
        raw, about = raw_sample(artifact)
        before = preprocessing(artifact)
        after = postprocessing(artifact, [tensor.name for tensor in model.outputs])
        taken = [tensor.name for tensor in model.inputs]
        spent: dict[str, list[float]] = {name: [] for name in PHASES}
        for number in range(WARMUP + payload["repetitions"]):
            start = time.perf_counter_ns()
            arrays = before.do(raw)
            ready = time.perf_counter_ns()
            outputs = model(_in_order(arrays, artifact, taken))
            called = time.perf_counter_ns()
            after.do(outputs)
            done = time.perf_counter_ns()
            if number >= WARMUP:
                for name, ns in zip(
                    PHASES, (ready - start, called - ready, done - called), strict=True
                ):
                    spent[name].append(ns / 1e6)
        return {
            "medians_ms": {name: median(values) for name, values in spent.items()},
            "steps": {"preprocess": list(before.told), "postprocess": list(after.told)},
            "sample": about,
        }

    return handle


def raw_sample(artifact: Artifact) -> tuple[Any, str]:
    """A sample as an app gets it, made of the last golden one, and what it is in words.

    Returns:
        Bytes of a JPEG or WAV file, a text, or arrays by input where there is no such form.
    """
    import numpy as np

    names = [tensor.name for tensor in artifact.manifest.inputs]
    arrays = read_samples(samples_at(artifact.path / "golden"), names)
    last = {name: np.array(arrays[name][-1:]) for name in names}
    specs = artifact.manifest.preprocessing
    golden = next(iter(last.values()))[0]
    if len(specs) == 1 and specs[0].layout in ("HWC", "CHW"):
        width, height = PICTURE
        return _jpeg(golden, specs[0]), f"JPEG of {width} × {height} pixels, quality {QUALITY}"
    if len(specs) == 1 and specs[0].layout == "waveform":
        return _wav(golden, specs[0]), f"WAV, 16 bits, {len(golden):,} instants"
    if len(specs) == 1 and specs[0].layout == "tokens" and specs[0].tokenizer:
        from edgekit.datasets.of_artifact import keep_tokenizer
        from edgekit.tokenizing import decode

        keep_tokenizer(artifact)
        text = decode(specs[0].tokenizer, golden.tolist())
        return text, f"text of {len(text):,} characters"
    return last, "arrays as the model takes them"


def preprocessing(artifact: Artifact) -> Steps:
    """What turns a raw sample into arrays by input, as the file takes them."""
    import numpy as np

    specs, tensors = artifact.manifest.preprocessing, artifact.manifest.inputs
    spec = specs[0]
    fit: Callable[[Any], dict[str, Array]]
    told: tuple[str, ...]
    if len(specs) == 1 and spec.layout in ("HWC", "CHW"):
        from edgekit.datasets.images import decode, fit_pixels, image_size

        height, width = image_size(spec, owner=artifact.manifest.model)
        resize = spec.resize or "bilinear"
        told = ("decode JPEG", f"resize to {width} × {height}, {resize}", "scale to the range")

        def fit(raw: Any) -> dict[str, Array]:
            pixels, _ = decode(raw, height, width, resize=resize)
            return {tensors[0].name: fit_pixels(pixels, spec)[None]}

    elif len(specs) == 1 and spec.layout == "waveform":
        from edgekit.datasets.sound import waveforms

        told = ("read WAV", "scale to the range")

        def fit(raw: Any) -> dict[str, Array]:
            return {tensors[0].name: waveforms([(raw, "raw")], spec, owner="raw")}

    elif len(specs) == 1 and spec.layout == "tokens" and spec.tokenizer:
        from edgekit.datasets.text import tokens_of

        told = (f"tokenize ({spec.tokenizer.partition(':')[0]})",)

        def fit(raw: Any) -> dict[str, Array]:
            return {tensors[0].name: tokens_of([raw], spec, owner="raw")}

    else:
        told = ()

        def fit(raw: Any) -> dict[str, Array]:
            return dict(raw)

    def do(raw: Any) -> dict[str, Array]:
        fitted = fit(raw)
        # Some runtimes refuse Pillow's read-only memory.
        return {
            tensor.name: np.require(typed(fitted[tensor.name], tensor), requirements=["C", "W"])
            for tensor in tensors
        }

    grids = [t.dtype for t in tensors if t.scale is not None and (t.scale, t.zero_point) != (1, 0)]
    return Steps(do, (*told, *(f"quantize to {dtype}" for dtype in dict.fromkeys(grids))))


def postprocessing(artifact: Artifact, reported: Sequence[str]) -> Steps:
    """What turns the file's outputs into an answer: classes by score, or objects with boxes.

    Args:
        artifact: What was run.
        reported: Names of the outputs, in the runtime's order.
    """
    import numpy as np

    tensors, activation = artifact.manifest.outputs, artifact.manifest.activation
    places = _places([tensor.name for tensor in tensors], reported)
    grids = [tensor.dtype for tensor in tensors if tensor.scale is not None]
    told = tuple(f"dequantize {dtype}" for dtype in dict.fromkeys(grids))
    shapes = [tensor.shape for tensor in tensors]

    def values(outputs: Sequence[Array]) -> list[Array]:
        return [real(outputs[place], tensor) for place, tensor in zip(places, tensors, strict=True)]

    if _is_detector(shapes):
        from edgekit.detection import decode

        def detect(outputs: Sequence[Array]) -> Any:
            boxes, scores = values(outputs)
            return decode(boxes[0], scores[0])

        return Steps(detect, (*told, "sigmoid", "threshold and sort", "suppress overlapping boxes"))

    def classify(outputs: Sequence[Array]) -> Any:
        scores = values(outputs)[-1].reshape(-1).astype(np.float64)
        if activation == "softmax":
            grown = np.exp(scores - scores.max())
            scores = grown / grown.sum()
        elif activation == "sigmoid":
            with np.errstate(over="ignore"):
                scores = 1 / (1 + np.exp(-scores))
        best = np.argsort(-scores, kind="stable")[:BEST]
        return best, scores[best]

    shown = (activation,) if activation else ()
    return Steps(classify, (*told, *shown, f"best {BEST}"))


def _is_detector(shapes: Sequence[Sequence[int]]) -> bool:
    """Whether the outputs are boxes [1, A, 4] and scores [1, A, C], for `edgekit.detection`."""
    if len(shapes) != 2 or any(len(shape) != 3 for shape in shapes):
        return False
    boxes, scores = shapes
    return boxes[2] == 4 and boxes[1] == scores[1]


def _places(wanted: Sequence[str], reported: Sequence[str]) -> list[int]:
    # A runtime may use other names than the file's (":0"); the order is the file's then.
    if set(wanted) == set(reported):
        return [reported.index(name) for name in wanted]
    return list(range(len(wanted)))


def _in_order(arrays: dict[str, Array], artifact: Artifact, taken: Sequence[str]) -> list[Array]:
    names = [tensor.name for tensor in artifact.manifest.inputs]
    order = _places(list(taken), names) if set(taken) == set(names) else range(len(names))
    return [arrays[names[place]] for place in order]


def _jpeg(sample: Array, spec: InputSpec) -> bytes:
    """A picture file that shows what a sample [height, width, channels] of the model shows."""
    import numpy as np
    from PIL import Image

    picture = np.moveaxis(sample, 0, -1) if spec.layout == "CHW" else sample
    limits = spec.channel_ranges or ((spec.range),) * picture.shape[-1]
    levels = [
        (picture[..., i].astype(np.float64) - low) * (255 / ((high - low) or 1))
        for i, (low, high) in enumerate(limits)
    ]
    pixels = np.clip(np.rint(np.stack(levels, axis=-1)), 0, 255).astype(np.uint8)
    image = Image.fromarray(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels)
    file = io.BytesIO()
    image.resize(PICTURE, Image.Resampling.BILINEAR).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _wav(sample: Array, spec: InputSpec) -> bytes:
    import numpy as np

    low, high = spec.range
    levels = (sample.astype(np.float64) - low) * (2 / ((high - low) or 1)) - 1
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(spec.rate_hz or 16_000)
        steps = np.clip(np.rint(levels * 32_767), -32_768, 32_767)
        sound.writeframes(steps.astype("<i2").tobytes())
    return file.getvalue()


def _importable() -> dict[str, str]:
    """The child finds the edgekit that this process runs, whatever the working directory holds."""
    own = str(Path(__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(part for part in (own, inherited) if part)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
