"""Read a file's graph in a child process, since readers crash on damaged files."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError, MissingExtraError, UsageError
from edgekit.extras import missing, owner_of
from edgekit.graphs.graph import Graph
from edgekit.process import ChildCrashed, ChildFailed, Emit, run_in_child

TARGETS = ("tflite", "onnx", "openvino")

_ENTRY = "edgekit.graphs.reading:handler"
_MAX_BYTES = 2 * 1024**3  # protobuf and flatbuffers cannot hold more
_LONGEST_S = 300.0


def read_graph(file: Path, target: str) -> Graph:
    """Operators and tensors of a model file.

    Args:
        file: What a runtime loads.
        target: One of `TARGETS`.

    Raises:
        UsageError: Another target.
        ArtifactError: The file is too large or damaged.
        MissingExtraError: The package that reads the format is not installed.
    """
    if target not in TARGETS:
        raise UsageError(
            f"{file}: graphs of {target} files cannot be read",
            hint=f"targets that can be: {', '.join(TARGETS)}",
        )
    size = file.stat().st_size
    if size > _MAX_BYTES:
        raise ArtifactError(f"{file}: {size:,} bytes", limit=f"{_MAX_BYTES:,} bytes for a file")
    payload = {"file": str(file.resolve()), "target": target}
    try:
        return Graph.from_json(run_in_child(_ENTRY, payload, timeout_s=_LONGEST_S))
    except (ChildCrashed, ChildFailed) as error:
        raise ArtifactError(
            f"{file}: cannot be read as {target}: {error.message}",
            hint="the file is damaged, or of a newer format: export it again",
        ) from error


def handler() -> Callable[[dict[str, Any], Emit], dict[str, Any]]:
    """For `edgekit.process`."""

    def handle(payload: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        target = str(payload["target"])
        try:
            read = import_module(f"edgekit.graphs.{target}").read
            graph: Graph = read(Path(payload["file"]))
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return graph.to_json()

    return handle


def _missing(error: ModuleNotFoundError) -> MissingExtraError | ModuleNotFoundError:
    package = owner_of(error.name or "")
    return missing(package) if package else error
