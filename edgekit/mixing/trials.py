"""Mixed files of one artifact, tried on the search's samples: written and run in children."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.exporters.base import FileGraph
from edgekit.feeding import encode, run_samples
from edgekit.files import emptied
from edgekit.job import Job
from edgekit.metrics import score
from edgekit.mixing.workshop import Workshop
from edgekit.plan import Step
from edgekit.process import Child
from edgekit.proof import in_source_order
from edgekit.quantization.condition.originals import ORIGINALS
from edgekit.quantization.mixed.drawing import SearchDraw
from edgekit.quantization.mixed.layers import MixedLayer
from edgekit.quantization.mixed.noise import noise_power
from edgekit.samples import count_of, read_samples, rows_of, write_samples
from edgekit.transports.local import LocalTransport

_RANKED_BY = 16  # samples a layer's noise is measured on
_FEWEST = 128  # samples that candidates are judged by
_EPISODES = 64  # episodes that they play where the metric does


class Trials:
    """What can be asked of an int8 file whose layers can be kept.

    Args:
        workshop: The export.
        child: The process of `edgekit.quantization.mixed.worker`.
        step: The conversion that made the file.
        graph: What is in the file.
        names: Of the source model's inputs and outputs.

    Attributes:
        layers: Of the file.
        count: Samples that candidates are judged by.
        longest: Seconds that the slowest candidate took.
        sample: The first of the samples, in the model's units.
    """

    def __init__(
        self,
        workshop: Workshop,
        child: Child,
        step: Step,
        graph: FileGraph,
        names: tuple[Sequence[str], Sequence[str]],
    ) -> None:
        self._workshop, self._child, self._step = workshop, child, step
        self._graph = graph
        self._inputs, self._outputs = names
        self._folder = emptied(workshop.scratch / "mixed" / step.label)
        self._samples = self._folder  # until there are some
        self._reference = self._folder  # until there is one
        self._encoded = self._samples
        self._labels: Any = None
        self.count = 0
        self.longest = 0.0
        opened = child.call(self._opening())
        self.layers = tuple(MixedLayer.from_json(entry) for entry in opened["layers"])

    def _opening(self) -> dict[str, Any]:
        files, model = self._workshop.scratch / "files", self._step.exporter.model_file
        # Those of its own chain: a rewritten graph has other kernels of the same numbers.
        originals = self._workshop.starts.source(self._step) / ORIGINALS
        return {
            "do": "open",
            "target": self._step.exporter.target,
            "model": str(files / self._step.label / model),
            "source": str(files / self._step.source / model),
            "originals": [str(originals)] if originals.is_file() else [],
        }

    def take(self, drawn: SearchDraw, seconds: float) -> None:
        """Judge by these samples from now on, by as many as fit into the time for a candidate.

        Args:
            drawn: The samples; at least `_FEWEST` of them are taken, if there are as many.
            seconds: For one candidate.
        """
        import numpy as np

        inputs = read_samples(drawn.drawn.inputs, self._inputs)
        there = count_of(inputs)
        few = min(_RANKED_BY, there)
        self._hold(rows_of(inputs, slice(few)))
        once = self._try((), few, compare=False)["seconds"] / few
        self.count = min(there, max(_FEWEST, int(seconds / max(once, 1e-6))))
        rows = np.arange(self.count) * there // self.count
        self._hold(rows_of(inputs, rows))
        labels = drawn.drawn.folder / "labels.npy"
        self._labels = np.load(labels, allow_pickle=False)[rows] if labels.is_file() else None
        self._reference = self._workshop.run_reference(self._samples, self._folder)

    def noise(self, seconds: float) -> list[float]:
        """What each layer alone adds to the outputs' noise, all others in float.

        Where there is no time to try every layer alone, neighbours share what they add together.
        """
        everything = range(len(self.layers))
        begun = time.monotonic()
        quiet = self._try(everything, _RANKED_BY)["noise"]
        once = time.monotonic() - begun
        together = 1 + int(once * len(self.layers) / max(1e-6, seconds))
        noise = [0.0] * len(self.layers)
        for start in range(0, len(self.layers), together):
            block = range(start, min(start + together, len(self.layers)))
            others = [layer for layer in everything if layer not in block]
            added = max(0.0, self._try(others, _RANKED_BY)["noise"] - quiet)
            for layer in block:
                noise[layer] = added / len(block)
        return noise

    def run(self, kept: Iterable[int]) -> tuple[float | None, float]:
        """Points of the metric lost on the samples (None without labels), and outputs' noise."""
        begun = time.monotonic()
        folder, exporter = emptied(self._folder / "candidate"), self._step.exporter
        graph = self.write(kept, folder)
        job = Job(action="run", runtime=exporter.runtime, model=str(folder / exporter.model_file))
        outputs, _ = run_samples(
            LocalTransport(),
            job,
            inputs=graph.inputs,
            outputs=graph.outputs,
            samples=self._samples,
            scratch=emptied(self._folder / "run"),
        )
        given = in_source_order(self._step.label, graph, outputs, self._outputs)
        reference = list(read_samples(self._reference, self._outputs).values())
        lost = None
        if self._labels is not None:
            both, labels = [given, reference], self._labels
            if episodes := self._workshop.episodes:
                labels = labels[:_EPISODES]
                paid = episodes.of_file(job, graph.inputs, graph.outputs, labels)
                both = [[paid], [episodes.of_source(labels)]]
            lost = score(self._workshop.order.metric, both[0], labels, both[1]).drop
        self.longest = max(self.longest, time.monotonic() - begun)
        return lost, noise_power(given, reference)

    def write(self, kept: Iterable[int], folder: Path) -> FileGraph:
        """Write a mixed file into an empty folder; what is in it."""
        answer = self._child.call({"do": "write", "kept": sorted(kept), "folder": str(folder)})
        return FileGraph.from_json(answer["graph"])

    def one_sample(self) -> Mapping[str, Path]:
        """The first sample as the float file and as the int8 files take it."""
        folder = emptied(self._folder / "one")
        first = rows_of(read_samples(self._samples, self._inputs), slice(1))
        one = write_samples(folder / "sample", first)
        own = encode(one, self._graph.inputs, emptied(folder / "encoded"))
        return {"mixed": own, "int8": own, "fp32": one}

    def _hold(self, arrays: Mapping[str, Any]) -> None:
        """Judge by these samples."""
        self._samples = write_samples(emptied(self._folder / "samples") / "samples", arrays)
        place = emptied(self._folder / "encoded")
        self._encoded = encode(self._samples, self._graph.inputs, place)

    def _try(self, kept: Iterable[int], count: int, *, compare: bool = True) -> dict[str, Any]:
        """Write and run a mixed file on the first samples, in the child."""
        exporter = self._step.exporter
        return self._child.call(
            {
                "do": "try",
                "kept": list(kept),
                "folder": str(self._folder / "tried"),
                "runtime": exporter.runtime,
                "model_file": exporter.model_file,
                "samples": str(self._encoded),
                "count": min(count, self.count) if compare else count,
                "outputs": [tensor.to_json() for tensor in self._graph.outputs],
                "reference": str(self._reference) if compare else None,
                "output_names": list(self._outputs),
            }
        )
