"""Follow objects through videos: a detector finds them frame by frame, a tracker tells who is who.

Detector and embedding network run on a device, over all frames; the tracker runs here. Figures come
where the truth is known. Does not train and does not convert.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.artifact import Artifact
from edgekit.batching import run_on_device
from edgekit.detection import THRESHOLD, Objects, gives_chosen, gives_objects, objects_of
from edgekit.errors import EdgekitError, UsageError
from edgekit.files import write_atomic
from edgekit.measuring.contenders import Asked, gather, job_of
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender
from edgekit.tracking import TRACKERS, Tracks
from edgekit.tracking.judging import Figures, Seen, judge
from edgekit.tracking.motchallenge import as_text

if TYPE_CHECKING:
    import numpy as np

    from edgekit.datasets.images import Fit
    from edgekit.datasets.videos import Video
    from edgekit.spec import InputSpec
    from edgekit.transports.connect import Device

    Array = np.ndarray[Any, Any]

VIDEO = "glyph-videos"
SPLIT = "test"
VIDEOS = 8
# What an embedding network sees: a square around a box, its side this many times the longer one of
# the box. Networks for pictures learn from things with some ground around them.
AROUND = 1.4


@dataclass(frozen=True, slots=True)
class Followed:
    """One video.

    Attributes:
        name: Of the video.
        tracks: Frame by frame.
        objects: That the detector found, in all frames.
        figures: None where the truth is not known.
    """

    name: str
    tracks: tuple[Tracks, ...]
    objects: int
    figures: Figures | None

    @property
    def identities(self) -> int:
        """How many things the tracker says there are."""
        return len({int(one) for frame in self.tracks for one in frame.identities})

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "frames": len(self.tracks),
            "objects_found": self.objects,
            "identities_found": self.identities,
            "figures": asdict(self.figures) if self.figures else None,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One detector over all videos.

    Attributes:
        contender: The artifact and the runtime that ran it.
        videos: In their order.
        figures: Of all videos together; None where the truth is not known.
        detector_ms: Median time of a call of the detector; None where no time is measured.
        embedding_ms: Likewise of the embedding network, which is called for each box.
        tracker_ms: Median time of the tracker for a frame, on this machine, looks of boxes given.
    """

    contender: Contender
    videos: tuple[Followed, ...]
    figures: Figures | None
    detector_ms: float | None
    embedding_ms: float | None
    tracker_ms: float

    @property
    def frames(self) -> int:
        """Of all videos."""
        return sum(len(video.tracks) for video in self.videos)

    def to_json(self) -> dict[str, Any]:
        return {
            "artifact": self.contender.path,
            "name": self.contender.name,
            "sha256": self.contender.sha256,
            "runtime": self.contender.runtime,
            "frames": self.frames,
            "figures": asdict(self.figures) if self.figures else None,
            "detector_ms": self.detector_ms,
            "embedding_ms": self.embedding_ms,
            "tracker_ms": self.tracker_ms,
            "videos": [video.to_json() for video in self.videos],
        }


@dataclass(frozen=True, slots=True)
class Tracked:
    """What became of all detectors.

    Attributes:
        tracker: Name of the tracker.
        embedding: Name of the embedding network; None without one.
        device: Name of the device profile.
        video: What was asked for.
        rows: One per detector.
        failures: Name of an artifact → why it could not be run.
        written: Files of tracks.
    """

    tracker: str
    embedding: str | None
    device: str
    video: str
    rows: tuple[Row, ...]
    failures: Mapping[str, EdgekitError] = field(default_factory=dict)
    written: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "tracker": self.tracker,
            "embedding": self.embedding,
            "device": self.device,
            "video": self.video,
            "rows": [row.to_json() for row in self.rows],
            "failures": {name: error.to_json() for name, error in self.failures.items()},
            "written": [str(path) for path in self.written],
        }


def track(
    asked: Sequence[Asked],
    *,
    video: str | Path = VIDEO,
    split: str = SPLIT,
    videos: int = VIDEOS,
    tracker: str = "sort",
    embedding: Asked | None = None,
    device: str = "local-cpu",
    runtime: str | None = None,
    threshold: float = THRESHOLD,
    out: Path | None = None,
    report: Report = silent,
) -> Tracked:
    """Detect and track in videos, with one detector after the other.

    Args:
        asked: Artifacts of detectors, or folders that hold some.
        video: "glyph-videos", or a folder of pictures.
        split: Of drawn videos.
        videos: How many drawn videos.
        tracker: Name in `edgekit.tracking.TRACKERS`.
        embedding: An artifact that gives a vector for a picture; for trackers that need one.
        device: Name or path of a device profile.
        runtime: Runtime to use for all; by default the device's preference for each.
        threshold: Lowest score of an object, 0–1.
        out: Where tracks are written; with several detectors or videos, each name before the
            suffix.
        report: Told about progress.

    Raises:
        UsageError: No artifact, no such video or tracker, or one that needs an embedding network.
        ArtifactError: A path holds no artifact.
        DataError: A frame cannot be read.
        DeviceError: The device is absent or not what its profile says.
        FileError: Tracks cannot be written.
    """
    from edgekit.transports.connect import connect

    name = registry.resolve(tracker, TRACKERS, what="tracker")
    if TRACKERS[name].needs_appearance and embedding is None:
        raise UsageError(
            f"{name} asks what boxes look like", hint="--embedding ARTIFACT, or --tracker sort"
        )
    if not TRACKERS[name].needs_appearance and embedding is not None:
        raise UsageError(
            f"--embedding: {name} doesn't ask what boxes look like", hint="--tracker deepsort"
        )
    reached = connect(device)
    found = gather(asked, reached.profile, runtime=runtime)
    looks = None
    if embedding is not None:
        ((contender, artifact), *more) = gather([embedding], reached.profile, runtime=runtime)
        if more:
            raise UsageError(f"--embedding {embedding.path}: several artifacts", hint="name one")
        looks = _Network(contender, artifact, reached)
    rows: list[Row] = []
    failures: dict[str, EdgekitError] = {}
    for contender, artifact in found:
        try:
            detector = _Network(contender, artifact, reached)
            size = _picture_size(detector)
            drawn = _opened(video, split, videos, size)
            rows.append(
                _followed(detector, looks, drawn, tracker=name, threshold=threshold, report=report)
            )
        except UsageError:
            raise
        except EdgekitError as error:
            failures[contender.name] = error
    return Tracked(
        tracker=name,
        embedding=looks.contender.name if looks else None,
        device=reached.profile.name,
        video=str(video),
        rows=tuple(rows),
        failures=failures,
        written=tuple(_write(rows, out)) if out is not None else (),
    )


def _opened(video: str | Path, split: str, count: int, size: tuple[int, int]) -> Sequence[Video]:
    from edgekit.datasets.videos import open_videos

    return open_videos(video, split=split, count=count, size=size)


@dataclass(frozen=True, slots=True)
class _Network:
    """An artifact with one picture as its input, on a device."""

    contender: Contender
    artifact: Artifact
    device: Device

    @property
    def spec(self) -> InputSpec:
        return self.artifact.manifest.preprocessing[0]

    def over(self, pictures: Iterator[Array], count: int, report: Report, task: str) -> list[Array]:
        """Outputs [count, …] for pictures of the input's form, in the order of the manifest."""
        import numpy as np

        if not count:
            return [np.zeros((0, *one.shape[1:])) for one in self.artifact.manifest.outputs]
        with tempfile.TemporaryDirectory(prefix="edgekit-track-") as scratch:
            place = Path(scratch) / "samples.npy"
            shape = (count, *self.spec.shape)
            samples = np.lib.format.open_memmap(
                place, mode="w+", dtype=self.spec.dtype, shape=shape
            )
            for number, picture in enumerate(pictures):
                samples[number] = picture
            samples.flush()
            job = job_of(self.contender, self.artifact, Path(scratch) / "golden")
            found = run_on_device(
                self.device.transport,
                replace(job, action="run", inputs=None),
                inputs=self.artifact.manifest.inputs,
                outputs=self.artifact.manifest.outputs,
                samples=place,
                scratch=Path(scratch),
                kept=None,
                told=lambda *stand: report(Progress(task, *stand)),
            )
            return [np.array(output) for output in found.outputs]

    def call_ms(self) -> float | None:
        """Median time of a call, inputs and outputs included; None where no time is measured."""
        if self.device.transport.no_latency is not None:
            return None
        with tempfile.TemporaryDirectory(prefix="edgekit-track-") as scratch:
            job = job_of(self.contender, self.artifact, Path(scratch) / "golden")
            measured = self.device.transport.run(job).measurement
        assert measured is not None  # the transport says so
        return median(measured.call_ns) / 1e6


def _picture_size(network: _Network) -> tuple[int, int]:
    """Height and width of the one picture that a network takes.

    Raises:
        UsageError: It takes something else, or gives no objects.
    """
    from edgekit.datasets.images import image_size

    names = [one.name for one in network.artifact.manifest.outputs]
    if not (gives_objects(names) or gives_chosen(names)):
        raise UsageError(
            f"{network.contender.path}: it gives {', '.join(names)}, no boxes with scores",
            hint="an artifact of a model for object-detection",
        )
    return image_size(network.spec, owner=network.contender.name)


def _followed(
    detector: _Network,
    looks: _Network | None,
    videos: Sequence[Video],
    *,
    tracker: str,
    threshold: float,
    report: Report,
) -> Row:
    """Run everything over the videos: first the detector, then what looks at boxes, then here."""
    found = _objects(detector, videos, threshold, report)
    seen = _looks(looks, videos, found, report) if looks is not None else None
    spent_ns: list[int] = []
    followed, judged = [], []
    at = 0
    for video in videos:
        algorithm = TRACKERS[tracker]()
        frames, truth = [], []
        before = at
        for shot in video:
            boxes, scores = found[at]
            here = (lambda _, at=at: seen[at]) if seen is not None else None
            began = time.perf_counter_ns()
            frames.append(algorithm.update(boxes, scores, here))
            spent_ns.append(time.perf_counter_ns() - began)
            if shot.identities is not None and shot.boxes is not None:
                now = frames[-1]
                truth.append(Seen(shot.identities, shot.boxes, now.identities, now.boxes))
            at += 1
        objects = sum(len(scores) for _, scores in found[before:at])
        followed.append(Followed(video.name, tuple(frames), objects, None))
        judged.append(truth)
    overall = None
    if all(judged):
        *each, overall = judge(judged)
        followed = [replace(f, figures=one) for f, one in zip(followed, each, strict=True)]
    return Row(
        contender=detector.contender,
        videos=tuple(followed),
        figures=overall,
        detector_ms=detector.call_ms(),
        embedding_ms=looks.call_ms() if looks is not None else None,
        tracker_ms=median(spent_ns) / 1e6,
    )


def _objects(
    detector: _Network, videos: Sequence[Video], threshold: float, report: Report
) -> list[tuple[Array, Array]]:
    """Boxes [K, 4] in pixels of the frame and scores [K], frame by frame through all videos."""
    import numpy as np

    from edgekit.datasets.images import fit_picture, fit_pixels

    spec = detector.spec
    height, width = _picture_size(detector)
    fits: list[tuple[Fit, Array]] = []

    def pictures() -> Iterator[Array]:
        for video in videos:
            for shot in video:
                pixels, fit = fit_picture(shot.image, height, width, resize=spec.resize)
                rows, columns = shot.image.shape[:2]
                fits.append((fit, np.array([columns, rows] * 2, np.float64)))
                yield fit_pixels(pixels, spec)

    task = f"detecting: {detector.contender.name}"
    outputs = detector.over(pictures(), sum(map(len, videos)), report, task)
    return [
        _in_pixels(objects_of([output[at] for output in outputs], threshold=threshold), *there)
        for at, there in enumerate(fits)
    ]


def _in_pixels(objects: Objects, fit: Fit, whole: Array) -> tuple[Array, Array]:
    """Objects of a picture as boxes in its pixels; what lies in the sides of a letterbox goes."""
    import numpy as np

    boxes = np.clip(fit.to_picture(objects.boxes.astype(np.float64)), 0, 1) * whole
    real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return boxes[real], objects.scores[real].astype(np.float64)


def _looks(
    network: _Network, videos: Sequence[Video], found: Sequence[tuple[Array, Array]], report: Report
) -> list[Array]:
    """What the boxes of each frame look like: [K, D] each.

    Raises:
        UsageError: The network gives no vector for a picture.
    """
    import numpy as np

    from edgekit.datasets.images import fit_picture, fit_pixels, image_size

    outputs = network.artifact.manifest.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise UsageError(
            f"--embedding {network.contender.path}: it gives no vector for a picture",
            hint="a network with one output, [D] for each picture",
        )
    spec = network.spec
    height, width = image_size(spec, owner=network.contender.name)

    def crops() -> Iterator[Array]:
        shots = (shot for video in videos for shot in video)
        for shot, (boxes, _) in zip(shots, found, strict=True):
            for box in boxes:
                part = around(shot.image, box)
                pixels, _ = fit_picture(part, height, width, resize=spec.resize)
                yield fit_pixels(pixels, spec)

    ends = np.cumsum([0, *(len(scores) for _, scores in found)])
    task = f"looking at boxes: {network.contender.name}"
    vectors = network.over(crops(), int(ends[-1]), report, task)[0]
    return [vectors[begin:end] for begin, end in pairwise(ends)]


def around(image: Array, box: Array, times: float = AROUND) -> Array:
    """The square around a box: uint8 [side, side, 3]; beyond the edge, the edge goes on.

    Args:
        image: uint8 [height, width, 3].
        box: [4], left, top, right and bottom in pixels.
        times: Its side, of the box's longer one.
    """
    import numpy as np

    left, top, right, bottom = box
    side = max(1, round(times * max(right - left, bottom - top)))
    first = round((left + right - side) / 2), round((top + bottom - side) / 2)
    columns, rows = (
        np.clip(np.arange(start, start + side), 0, most - 1)
        for start, most in zip(first, image.shape[1::-1], strict=True)
    )
    return np.ascontiguousarray(image[rows[:, None], columns[None]])


def _write(rows: Sequence[Row], out: Path) -> list[Path]:
    """Tracks as MOTChallenge has them, a file for each detector and video."""
    written = []
    for row in rows:
        for video in row.videos:
            parts = [row.contender.name.replace(" ", "-").replace("/", "-")] * (len(rows) > 1)
            parts += [video.name] * (len(row.videos) > 1)
            path = out.with_name("-".join([out.stem, *parts]) + (out.suffix or ".csv"))
            write_atomic(path, as_text(video.tracks))
            written.append(path)
    return written
