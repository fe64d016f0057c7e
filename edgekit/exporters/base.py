"""What a conversion step is, and the checks that no author of one can forget.

`Exporter.convert()` is public and final: it checks what it is given, calls the author's
`_convert()`, reopens what was written and checks what is really in it. Knows files. Does not know
which process it runs in, and does not judge accuracy (`edgekit.parity` does).
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from edgekit.errors import ConversionError, MissingExtraError, UsageError
from edgekit.exporters.metadata.facts import Facts
from edgekit.manifest import IO
from edgekit.ranges.audit import Audit
from edgekit.ranges.limits import MINMAX
from edgekit.samples import read_samples, samples_at
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

KERAS = "keras"  # the source of a chain: the traced and frozen model
FILE = "file"  # the source of a chain: a float file that somebody else made

LOOPS = "recurrent layers over longer sequences stay loops, which this target lacks; shorten them"

# What must be found among a file's tensors for its precision to be more than a name.
# One of each group.
_BYTES = ("int8", "uint8")
_PROMISED_DTYPES = {
    "fp16": (("float16",),),
    "dynamic": (_BYTES,),
    "int4": (("int4", "uint4"),),
    "int8": (_BYTES,),
    "16x8": (("int16", "uint16"), _BYTES),
}
_CALIBRATED = ("int8", "16x8")


@dataclass(frozen=True, slots=True)
class Conversion:
    """One step, ready to run.

    Attributes:
        precision: What to make.
        io: Input and output types of an int8 file, one of `edgekit.manifest.IO`.
        source: Folder with the file(s) the step starts from.
        destination: Empty folder to write to.
        inputs: The model's inputs.
        calibration: Folder with samples of all inputs (`edgekit.samples`); None without.
        ranges: How ranges are chosen, one of `edgekit.ranges.limits.METHODS`.
        conditioned: Whether the source's biases are corrected for int8 already.
    """

    precision: str
    io: str
    source: Path
    destination: Path
    inputs: tuple[InputSpec, ...]
    calibration: Path | None
    ranges: str = MINMAX
    conditioned: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "precision": self.precision,
            "io": self.io,
            "source": str(self.source),
            "destination": str(self.destination),
            "inputs": [spec.to_json() for spec in self.inputs],
            "calibration": str(self.calibration) if self.calibration else None,
            "ranges": self.ranges,
            "conditioned": self.conditioned,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Conversion:
        return Conversion(
            precision=data["precision"],
            io=data["io"],
            source=Path(data["source"]),
            destination=Path(data["destination"]),
            inputs=tuple(InputSpec.from_json(entry) for entry in data["inputs"]),
            calibration=Path(data["calibration"]) if data["calibration"] else None,
            ranges=data["ranges"],
            conditioned=data["conditioned"],
        )


@dataclass(frozen=True, slots=True)
class FileGraph:
    """What is really in a model file.

    Attributes:
        inputs: Tensors it takes, in order.
        outputs: Tensors it gives, in order.
        ops: Operator name → count.
        dtypes: Tensor dtype → count, weights included.
        foreign_ops: Operators that a stock runtime cannot run.
        audit: How its ranges were found; None where nothing was calibrated.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    ops: Mapping[str, int]
    dtypes: Mapping[str, int]
    foreign_ops: tuple[str, ...] = ()
    audit: Audit | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "ops": dict(sorted(self.ops.items())),
            "dtypes": dict(sorted(self.dtypes.items())),
            "foreign_ops": list(self.foreign_ops),
            "audit": self.audit.to_json() if self.audit else None,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> FileGraph:
        return FileGraph(
            inputs=tuple(TensorInfo.from_json(entry, ConversionError) for entry in data["inputs"]),
            outputs=tuple(
                TensorInfo.from_json(entry, ConversionError) for entry in data["outputs"]
            ),
            ops=data["ops"],
            dtypes=data["dtypes"],
            foreign_ops=tuple(data["foreign_ops"]),
            audit=Audit.from_json(data["audit"]) if data.get("audit") else None,
        )


class Exporter(ABC):
    """One target: how each of its precisions is made, and how its files are read.

    A third party adds a target by subclassing this and naming the class as an entry point in the
    group `edgekit.exporters`.

    Attributes:
        target: Name on the command line.
        runtime: Runtime of `edgekit.agent` that proves the artifacts.
        model_file: The file a runtime loads.
        precisions: What it can make.
        extra: edgekit extra that brings its packages.
        packages: Distributions whose versions decide the bytes written.
        rewritten: Precisions for which the rewrites of `edgekit.quantization.rewrite` pay.
    """

    target: ClassVar[str]
    runtime: ClassVar[str]
    model_file: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "dynamic", "int8")
    extra: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    rewritten: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def source(self, precision: str) -> str:
        """Where the step starts: `KERAS`, or "<target>-<precision>" of another step."""

    @abstractmethod
    def _convert(self, conversion: Conversion) -> Audit | None:
        """Write `model_file` (and what belongs to it) into `conversion.destination`.

        Returns:
            How ranges were found, where edgekit's observers found them.
        """

    @abstractmethod
    def inspect(self, folder: Path) -> FileGraph:
        """Read the file's own declaration of inputs, outputs, operators and dtypes."""

    def _describe(self, folder: Path, facts: Facts) -> None:  # noqa: B027  a plug-in may have none
        """Write facts into the file(s) of `folder`; a format without a place for them has none."""

    @final
    def describe(self, source: Path, destination: Path, facts: Facts) -> FileGraph:
        """Copy finished file(s) and say in them what they are (`edgekit.exporters.metadata`).

        Args:
            source: Folder with the file(s).
            destination: Empty folder.
            facts: What to say.

        Raises:
            ConversionError: It changed more than that.
            MissingExtraError: A package it needs is not installed.
        """
        for path in sorted(source.iterdir()):
            shutil.copyfile(path, destination / path.name)
        try:
            self._describe(destination, facts)
        except ImportError as error:
            package = (error.name or "a package").partition(".")[0]
            raise MissingExtraError(package, self.extra, f"{self.target} metadata") from error
        graph, before = self.inspect(destination), self.inspect(source)
        if graph != before:
            raise ConversionError(
                f"{self.target}: the graph is another one with its metadata", hint="--no-metadata"
            )
        return graph

    @final
    def convert(self, conversion: Conversion) -> FileGraph:
        """Check, convert, reopen, check.

        Raises:
            ConversionError: The step failed, or the file is not what was asked for.
            MissingExtraError: A package it needs is not installed.
            UsageError: A precision or I/O type that this target does not have.
        """
        self._check_before(conversion)
        try:
            audit = self._convert(conversion)
        except ImportError as error:
            package = (error.name or "a package").partition(".")[0]
            raise MissingExtraError(package, self.extra, f"{self.target} export") from error
        return replace(self._check_after(conversion), audit=audit)

    def _check_before(self, conversion: Conversion) -> None:
        if conversion.precision not in self.precisions:
            raise UsageError(
                f"{self.target} has no precision {conversion.precision!r}",
                hint=f"one of: {', '.join(self.precisions)}",
            )
        if conversion.io not in IO:
            raise UsageError(f"unknown --io {conversion.io!r}", hint=f"one of: {', '.join(IO)}")
        if conversion.precision in _CALIBRATED and conversion.calibration is None:
            raise ConversionError(f"{self.target}-{conversion.precision} needs calibration samples")
        if any(conversion.destination.iterdir()):
            raise ConversionError(f"{conversion.destination} is not empty")

    def _check_after(self, conversion: Conversion) -> FileGraph:
        what = f"{self.target}-{conversion.precision}"
        file = conversion.destination / self.model_file
        if not file.is_file() or file.stat().st_size == 0:
            raise ConversionError(f"{what}: the converter reported success and wrote no file")
        graph = self.inspect(conversion.destination)
        if graph.foreign_ops:
            raise ConversionError(
                f"{what}: needs operators that a stock runtime does not have: "
                f"{', '.join(graph.foreign_ops)}",
                hint="replace the layers that make them, or choose another --target",
            )
        if not graph.ops or not graph.inputs or not graph.outputs:
            raise ConversionError(f"{what}: the written file holds no graph")
        open_axes = [t.name for t in graph.inputs if any(size < 1 for size in t.shape)]
        if open_axes:
            raise ConversionError(
                f"{what}: inputs without a fixed shape: {', '.join(open_axes)}",
                hint="--input-shape fixes them",
            )
        promised = _PROMISED_DTYPES.get(conversion.precision, ())
        # An input of bytes is none of the step's doing.
        inner = Counter(graph.dtypes) - Counter(tensor.dtype for tensor in graph.inputs)
        for group in promised:
            if not set(group) & set(inner):
                raise ConversionError(
                    f"{what}: the file holds no {' or '.join(group)} tensor",
                    f"dtypes in the file: {', '.join(sorted(graph.dtypes))}",
                    hint="this model has nothing that could be quantized by this target",
                )
        return graph


def wanted_io_dtype(io: str, declared: str) -> str:
    """The dtype an int8 file's input shall have: `io`, where "native" keeps the model's own."""
    return {"native": declared, "float": "float32"}.get(io, io)


def calibration_arrays(conversion: Conversion) -> dict[str, Array]:
    """Calibration samples by input, in the order of `conversion.inputs`, memory-mapped.

    Each is [N, *shape] of its input's dtype.
    """
    assert conversion.calibration is not None
    names = [spec.name for spec in conversion.inputs]
    return read_samples(samples_at(conversion.calibration), names)
