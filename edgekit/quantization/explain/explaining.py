"""Explain one file: read it and run its float source side by side, and say what each layer loses.

Knows processes and folders. Does not find models and data (`edgekit.verbs.explain` does).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import RuntimeFault
from edgekit.exporters.worker import Preparation
from edgekit.process import Child, ChildCrashed
from edgekit.progress import Progress, Report
from edgekit.quantization.explain.comparing import Compared
from edgekit.quantization.explain.layers import Layer
from edgekit.quantization.explain.reading import ENTRY as READING
from edgekit.quantization.worker import ENTRY as TENSORFLOW
from edgekit.quantization.worker import lint_request, rewrite_request

# Values of all layers that lie on disk at a time.
_CHUNK_BYTES = 96 * 2**20
_MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class FileToExplain:
    """What is to be explained, and with what.

    Attributes:
        target: Of the file.
        model: The file.
        conditioned: Whether it was made from the conditioned graph.
        rewritten: Whether that was rewritten before.
        encoded: Samples as the file takes them: a `.npy`, or a folder with one per input.
        inputs: Names of the file's inputs.
        samples: The same samples in the model's own units.
        source_inputs: Names of the model's inputs.
        count: How many samples.
        golden: Folder with the artifact's golden inputs and reference; None if it has none.
    """

    target: str
    model: Path
    conditioned: bool
    rewritten: bool
    encoded: Path
    inputs: tuple[str, ...]
    samples: Path
    source_inputs: tuple[str, ...]
    count: int
    golden: Path | None


@dataclass(frozen=True, slots=True)
class Explained:
    """What came of it.

    Attributes:
        layers: With a counterpart in the float graph, worst first.
        unmatched: Without one.
        left_out: Kind of operator → how many only move numbers, store them anew or are integers.
        apart: Largest difference between the file's outputs read with and without its layers,
            relative to the largest output.
        findings: Of the float graph's linter, as JSON.
    """

    layers: tuple[Compared, ...]
    unmatched: tuple[Compared, ...]
    left_out: Mapping[str, int]
    apart: float
    findings: tuple[Mapping[str, Any], ...]


def explain_file(
    file: FileToExplain,
    preparation: Preparation,
    scratch: Path,
    report: Report,
    environment: Mapping[str, str] | None = None,
) -> Explained:
    """Compare every layer of a file with its float source.

    Args:
        file: What to explain.
        preparation: How to get the source; its folder gets the trace.
        scratch: Empty folder for what goes to and fro.
        report: Told about progress.
        environment: Variables for the processes.

    Raises:
        ModelError: The source does not build, or is not the file's.
        RuntimeFault: The runtime failed, crashed or refused the file.
    """
    with Child(READING, environment=environment) as reader:
        opened = _ask(reader, file, {"do": "open", "target": file.target, "model": str(file.model)})
        layers = [Layer.from_json(entry) for entry in opened["layers"]]
        with Child(TENSORFLOW, environment=environment) as source:
            name = "building the float graph"
            report(Progress(name, 0, 1))
            source.call({"do": "prepare", **preparation.to_json()})
            findings = source.call(lint_request(preparation.folder, file.samples))["findings"]
            graph = _graph(file, preparation.folder, scratch / "rewritten", source)
            source.call(_comparison(file, graph, opened["layers"]))
            report(Progress(name, 1, 1))
            apart = _compare(file, layers, reader, source, scratch=scratch, report=report)
            compared = [
                Compared.from_json(entry) for entry in source.call({"do": "compared"})["layers"]
            ]
    matched = [entry for entry in compared if entry.alone is not None]
    return Explained(
        layers=tuple(sorted(matched, key=_quality)),
        unmatched=tuple(entry for entry in compared if entry.alone is None),
        left_out=opened["left_out"],
        apart=apart,
        findings=tuple(findings),
    )


def _graph(file: FileToExplain, trace: Path, rewritten: Path, source: Child) -> Path:
    """The trace that the file was made from: the source's, or a rewritten one."""
    if file.rewritten:
        source.call(rewrite_request(trace, file.samples, rewritten))
    return rewritten if rewritten.is_dir() else trace


def _comparison(
    file: FileToExplain, trace: Path, layers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "do": "compare",
        "source": str(trace),
        "layers": list(layers),
        "samples": str(file.samples),
        "names": list(file.source_inputs),
        "conditioned": file.conditioned,
        "golden": str(file.golden) if file.golden else None,
    }


def _compare(
    file: FileToExplain,
    layers: Sequence[Layer],
    reader: Child,
    source: Child,
    *,
    scratch: Path,
    report: Report,
) -> float:
    size = 4 * sum(math.prod(layer.shape) for layer in layers)
    step = max(2, min(_MOST_AT_ONCE, _CHUNK_BYTES // max(1, size)))
    apart = 0.0
    name = f"comparing {len(layers):,} layers"
    for start in range(0, file.count, step):
        report(Progress(name, start, file.count))
        stop = min(start + step, file.count)
        request = {
            "do": "read",
            "samples": str(file.encoded),
            "names": list(file.inputs),
            "start": start,
            "stop": stop,
            "folder": str(scratch),
        }
        apart = max(apart, _ask(reader, file, request)["apart"])
        source.call({"do": "add", "start": start, "stop": stop, "folder": str(scratch)})
    report(Progress(name, file.count, file.count))
    return apart


def _ask(reader: Child, file: FileToExplain, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return reader.call(request)
    except ChildCrashed as error:
        how = error.message.removeprefix(f"the process running {READING} ")
        raise RuntimeFault(
            f"the process that reads the layers of {file.model.name} {how}", *error.details
        ) from error


def _quality(entry: Compared) -> tuple[float, float]:
    assert entry.alone is not None
    assert entry.whole is not None
    return entry.alone.snr_db, entry.whole.snr_db
