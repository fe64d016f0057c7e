"""Make samples with artifacts: the loop runs here, the model on a device, in its own runtime.

All artifacts begin with the same random numbers, so what differs is what they differ in.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError, MissingExtraError, UsageError
from edgekit.feeding import answering
from edgekit.files import check_place, write_atomic
from edgekit.generating.kinds import Kind, Wishes, kind_of
from edgekit.generating.sheets import as_wav, drawn_sounds, picture_sheet
from edgekit.measuring.contenders import Asked, gather, job_of
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender

if TYPE_CHECKING:
    import numpy as np

    from edgekit.transports.base import Transport

    Array = np.ndarray[Any, Any]

COUNT = 16
_FORMATS = {False: (".png",), True: (".wav", ".png")}  # by whether samples are sounds


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What one artifact made.

    Attributes:
        contender: The artifact and the runtime that ran it.
        samples: Pictures uint8 [N, h, w, 1 or 3], or sounds float64 [N, T] in −1–1.
        differs: Mean difference of a value from the first artifact's samples, as a share of the
            range of values; None for the first.
    """

    contender: Contender
    samples: Array
    differs: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "artifact": self.contender.path,
            "name": self.contender.name,
            "sha256": self.contender.sha256,
            "runtime": self.contender.runtime,
            "shape": list(self.samples.shape[1:]),
            "differs": None if self.differs is None else round(self.differs, 6),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """What all artifacts made.

    Attributes:
        kind: Which loop: a name in `edgekit.generating.kinds`.
        calls: Of a model, for one sample.
        count: Samples of each artifact.
        seed: What random numbers follow from.
        device: Name of the device profile.
        rows: One per artifact, in the order of the file's rows.
        written: The file.
        failures: Name of an artifact → why it made nothing.
    """

    kind: str
    calls: int
    count: int
    seed: int
    device: str
    rows: tuple[Made, ...]
    written: Path | None
    failures: Mapping[str, EdgekitError] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "calls": self.calls,
            "count": self.count,
            "seed": self.seed,
            "device": self.device,
            "rows": [row.to_json() for row in self.rows],
            "written": None if self.written is None else str(self.written),
            "failures": {name: error.to_json() for name, error in self.failures.items()},
        }


def generate(
    asked: Sequence[Asked],
    *,
    out: Path,
    count: int = COUNT,
    seed: int = 0,
    wishes: Wishes | None = None,
    device: str = "local-cpu",
    runtime: str | None = None,
    report: Report = silent,
) -> Generated:
    """Make samples with one artifact after the other, and write them into one file.

    Args:
        asked: Artifacts, or folders that hold some; all make the same kind of sample.
        out: A .png for pictures; for sounds a .wav, or a .png of waveforms.
        count: Samples of each.
        seed: What random numbers follow from.
        wishes: Of the loop.
        device: Name or path of a device profile.
        runtime: Runtime to use for all; by default the device's preference for each.
        report: Told about progress.

    Raises:
        UsageError: No artifact, one that makes no samples, several kinds, or a file of another
            format.
        ArtifactError: A path holds no artifact.
        DeviceError: The device is absent or not what its profile says.
        FileError: The file cannot be written.
        MissingExtraError: Pillow is not installed.
    """
    from edgekit.transports.connect import connect

    reached = connect(device)
    found = gather(asked, reached.profile, runtime=runtime)
    kinds = [_kind(contender, artifact, wishes or Wishes()) for contender, artifact in found]
    kind = kinds[0]
    for (contender, artifact), other in zip(found, kinds, strict=True):
        first = found[0][1].manifest
        if other.name != kind.name or artifact.manifest.preprocessing != first.preprocessing:
            raise UsageError(
                f"{contender.path} makes other samples than {found[0][0].path}",
                hint="artifacts of one model share a file",
            )
    _check_format(out, sounds=kind.rate_hz > 0)
    check_place(out, "-o names the file for the samples")
    rows: list[Made] = []
    failures: dict[str, EdgekitError] = {}
    for contender, artifact in found:
        try:
            samples = _made(
                contender, artifact, kind, reached.transport, count=count, seed=seed, report=report
            )
        except EdgekitError as error:
            failures[contender.name] = error
            continue
        rows.append(Made(contender, samples, _apart(samples, rows)))
    if rows:
        _write([row.samples for row in rows], kind, out)
    return Generated(
        kind=kind.name,
        calls=kind.calls,
        count=count,
        seed=seed,
        device=reached.profile.name,
        rows=tuple(rows),
        written=out if rows else None,
        failures=failures,
    )


def _kind(contender: Contender, artifact: Artifact, wishes: Wishes) -> Kind:
    manifest = artifact.manifest
    return kind_of(manifest.preprocessing, manifest.outputs, wishes, owner=contender.path)


def _check_format(out: Path, *, sounds: bool) -> None:
    """Refuse a file of another format before anything is made."""
    from importlib.util import find_spec

    known = _FORMATS[sounds]
    if out.suffix.lower() not in known:
        what = "sounds" if sounds else "pictures"
        raise UsageError(f"{out}: {what} go into {' or '.join(known)}")
    if out.suffix.lower() == ".png" and find_spec("PIL") is None:
        raise MissingExtraError("Pillow", "data", "writing pictures")


def _made(
    contender: Contender,
    artifact: Artifact,
    kind: Kind,
    transport: Transport,
    *,
    count: int,
    seed: int,
    report: Report,
) -> Array:
    import numpy as np

    manifest = artifact.manifest
    named = {tensor.name: tensor for tensor in manifest.inputs}
    names = [spec.name for spec in manifest.preprocessing]
    taken = names if set(names) == set(named) else list(named)
    given = [tensor.name for tensor in manifest.outputs]
    task = f"generating: {contender.name}"
    with tempfile.TemporaryDirectory(prefix="edgekit-generate-") as scratch:
        job = replace(job_of(contender, artifact, Path(scratch) / "golden"), inputs=None)
        with answering(transport, job, inputs=manifest.inputs, outputs=manifest.outputs) as asked:

            def ask(arrays: Sequence[Array]) -> list[Array]:
                found = asked(dict(zip(taken, arrays, strict=True)))
                return [found[name] for name in given]

            return kind.make(
                ask,
                count,
                np.random.Generator(np.random.Philox(seed)),
                lambda done, total: report(Progress(task, done, total)),
            )


def _apart(samples: Array, rows: Sequence[Made]) -> float | None:
    import numpy as np

    if not rows:
        return None
    span = 255.0 if samples.dtype == np.uint8 else 2.0
    return float(np.abs(samples.astype(float) - rows[0].samples).mean() / span)


def _write(blocks: Sequence[Array], kind: Kind, out: Path) -> None:
    if out.suffix.lower() == ".wav":
        write_atomic(out, as_wav(blocks, kind.rate_hz))
        return
    from PIL import Image

    shown = [drawn_sounds(block) for block in blocks] if kind.rate_hz else blocks
    sheet = picture_sheet(shown)
    image = Image.fromarray(sheet[..., 0] if sheet.shape[2] == 1 else sheet)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    write_atomic(out, buffer.getvalue())
