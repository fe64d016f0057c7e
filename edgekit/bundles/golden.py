"""Golden cases of a bundle: what any language must make of them, step by step.

    golden/cases.json
    golden/samples/3-image.bin         a sample in the model's own units, little-endian
    golden/samples/3.png               the same as a picture, where it is one
    golden/outputs/tflite-int8/3-logits.bin    what the artifact's file gave for it
    golden/pictures/portrait.png       an original, and
    golden/pictures/portrait.bin       the sample it must become (`edgekit.bundles.originals`)

Samples are those that every artifact carries: extremes of the range, noise and real ones. Runs
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import GOLDEN_OUTPUTS, Artifact
from edgekit.bundles.answers import answer_of
from edgekit.bundles.originals import write_array, write_originals, write_png
from edgekit.errors import ArtifactError
from edgekit.files import canonical_json
from edgekit.job import tensor_file
from edgekit.samples import read_samples, sample_files, samples_at, stored_at
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CASES = "cases.json"
LEAST = 8


def write_golden(
    folder: Path,
    artifacts: Sequence[Artifact],
    contract: dict[str, Any],
    tokenizer: Path | None = None,
) -> None:
    """Write all cases below `folder`.

    Args:
        folder: `golden` of a bundle, made here.
        artifacts: Of the contract.
        contract: As `contract_of` made it.
        tokenizer: Its file, where the model has one.

    Raises:
        ArtifactError: An artifact carries fewer than `LEAST` samples, or others than the first.
    """
    folder.mkdir()
    first = artifacts[0]
    specs = first.manifest.preprocessing
    samples = _samples(first)
    count = len(next(iter(samples.values())))
    outputs = {one.label: _outputs(one) for one in artifacts}
    for one in artifacts:
        _check(one, samples, first)
    (folder / "samples").mkdir()
    cases = []
    for index in range(count):
        case: dict[str, Any] = {"inputs": {}, "outputs": {}, "answers": {}}
        for spec in specs:
            case["inputs"][spec.name] = write_array(
                folder, f"samples/{index}-{_safe(spec.name)}.bin", samples[spec.name][index]
            )
        if (picture := _as_picture(specs, samples, index)) is not None:
            case["picture"] = write_png(folder, f"samples/{index}.png", picture)
        for one in artifacts:
            given = {name: array[index] for name, array in outputs[one.label].items()}
            case["outputs"][one.label] = {
                name: write_array(folder, f"outputs/{one.label}/{index}-{_safe(name)}.bin", array)
                for name, array in given.items()
            }
            case["answers"][one.label] = answer_of(contract["answer"], given)
        cases.append(case)
    document = {"version": 1, "cases": cases, **write_originals(folder, specs, tokenizer)}
    (folder / CASES).write_text(canonical_json(document), encoding="utf-8")


def _samples(artifact: Artifact) -> dict[str, Array]:
    place = samples_at(artifact.path / "golden")
    names = [spec.name for spec in artifact.manifest.preprocessing]
    found = read_samples(place, names) if place.exists() else {}
    if not found or len(next(iter(found.values()))) < LEAST:
        raise ArtifactError(
            f"{artifact.path}: fewer than {LEAST} golden samples", hint="export it again"
        )
    return found


def _outputs(artifact: Artifact) -> dict[str, Array]:
    names = [tensor.name for tensor in artifact.manifest.outputs]
    place = stored_at(artifact.path / GOLDEN_OUTPUTS)
    if not all(file.is_file() for file in sample_files(place, names).values()):
        raise ArtifactError(f"{artifact.path}: no golden outputs", hint="export it again")
    return read_samples(place, names)


def _check(artifact: Artifact, samples: dict[str, Array], first: Artifact) -> None:
    import numpy as np

    own = _samples(artifact)
    if any(not np.array_equal(own[name], samples[name]) for name in samples):
        raise ArtifactError(
            f"{artifact.path}: other golden samples than {first.path}",
            hint="export both with the same edgekit, model and data set",
        )


def _as_picture(specs: Sequence[InputSpec], samples: dict[str, Array], index: int) -> Array | None:
    """A sample as the picture [height, width, 3] that becomes it; None where it is none."""
    import numpy as np

    spec = specs[0]
    plain = spec.dtype == "uint8" and spec.range == (0.0, 255.0) and not spec.channel_ranges
    if len(specs) != 1 or not plain or spec.layout != "HWC" or spec.channels != 3:
        return None
    return np.ascontiguousarray(samples[spec.name][index])


def _safe(name: str) -> str:
    """A tensor's name as a part of a file's."""
    return tensor_file(name).removesuffix(".npy")
