"""What a search uses of the export it belongs to. Data and a protocol; nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edgekit.exporters.base import FileGraph
from edgekit.plan import ExportOrder, Step
from edgekit.playing import Episodes
from edgekit.preparing import Starts
from edgekit.progress import Report
from edgekit.quantization.mixed.layers import Mixed


class Workshop(Protocol):
    """The pipeline of an export.

    Attributes:
        order: What is exported.
        scratch: Holds `files/<label>` with what was converted.
        report: Told about progress.
        environment: Variables for processes.
        starts: What the steps' chains begin with.
        episodes: What files and their source model play; None where the metric does not.
    """

    order: ExportOrder
    scratch: Path
    report: Report
    environment: dict[str, str]
    starts: Starts
    episodes: Episodes | None

    def run(
        self, step: Step, graph: FileGraph, proof: Path, trace: Mapping[str, Any], name: str = ""
    ) -> list[Any]:
        """Outputs of the file in `files/<name>`, as it will be published, for the gate's samples.

        `trace` is the result of the task "prepare".
        """

    def publish(
        self,
        step: Step,
        graph: FileGraph,
        outputs: list[Any],
        *results: Any,
        name: str = "",
        mixed: Mixed | None = None,
    ) -> Path:
        """Judge that file and make it an artifact."""

    def run_reference(self, proof: Path, folder: Path | None = None) -> Path:
        """Write what the source model gives for samples into a folder; where it lies."""
