"""Follow objects through videos: a detector finds them frame by frame, a tracker tells who is who.

Detector and embedding network run on a device, over all frames; the tracker runs here. Figures come
where the truth is known. Does not train and does not convert.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.errors import EdgekitError, UsageError
from edgekit.files import check_place, write_atomic
from edgekit.measuring.contenders import Asked, gather
from edgekit.progress import Report, silent
from edgekit.run import Contender
from edgekit.tracking import THRESHOLD, TRACKERS, Tracks
from edgekit.tracking.judging import Figures, Seen, judge
from edgekit.tracking.motchallenge import as_text
from edgekit.watching import Network, find_objects, look_at, picture_size, require_vector

if TYPE_CHECKING:
    import numpy as np

    from edgekit.datasets.videos import Video

    Array = np.ndarray[Any, Any]

VIDEO = "glyph-videos"
SPLIT = "test"
VIDEOS = 8
_SUFFIXES = (".csv", ".txt", "")


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
    split: str | None = None,
    videos: int | None = None,
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
        split: Of drawn videos; by default "test".
        videos: How many drawn videos; by default 8.
        tracker: Name in `edgekit.tracking.TRACKERS`.
        embedding: An artifact that gives a vector for a picture; for trackers that need one.
        device: Name or path of a device profile.
        runtime: Runtime to use for all; by default the device's preference for each.
        threshold: Lowest score of an object, 0–1.
        out: Where tracks are written; with several detectors or videos, each name before the
            suffix.
        report: Told about progress.

    Raises:
        UsageError: No artifact, no such video or tracker, one that needs an embedding network, or
            a split or a number of videos beside a folder.
        ArtifactError: A path holds no artifact, or the embedding network gives no vector.
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
    _refuse_without_effect(video, split, videos)
    if out is not None:
        _refuse_place(out, video)
    reached = connect(device)
    found = gather(asked, reached.profile, runtime=runtime)
    looks = None
    if embedding is not None:
        ((contender, artifact), *more) = gather([embedding], reached.profile, runtime=runtime)
        if more:
            raise UsageError(f"--embedding {embedding.path}: several artifacts", hint="name one")
        looks = Network(contender, artifact, reached)
        require_vector(looks)
    rows: list[Row] = []
    failures: dict[str, EdgekitError] = {}
    for contender, artifact in found:
        try:
            detector = Network(contender, artifact, reached)
            size = picture_size(detector)
            drawn = _opened(video, split or SPLIT, videos or VIDEOS, size)
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


def _refuse_without_effect(video: str | Path, split: str | None, videos: int | None) -> None:
    for option, given in (("--split", split), ("--videos", videos)):
        if given is not None and str(video) != VIDEO:
            raise UsageError(
                f"{option} {given}: {video} is one video; splits and numbers are of {VIDEO}",
                hint=f"leave out {option}, or --video",
            )


def _refuse_place(out: Path, video: str | Path) -> None:
    if out.resolve().is_relative_to(Path(video).expanduser().resolve()):
        raise UsageError(
            f"-o {out}: inside the video's own folder, whose truth it might replace",
            hint="name a file elsewhere",
        )
    if out.suffix not in _SUFFIXES:
        raise UsageError(
            f"{out}: tracks are text", hint=f"name it {out.stem}.csv or {out.stem}.txt"
        )
    check_place(out, "-o names the file for the tracks")


def _opened(video: str | Path, split: str, count: int, size: tuple[int, int]) -> Sequence[Video]:
    from edgekit.datasets.videos import open_videos

    return open_videos(video, split=split, count=count, size=size)


def _followed(
    detector: Network,
    looks: Network | None,
    videos: Sequence[Video],
    *,
    tracker: str,
    threshold: float,
    report: Report,
) -> Row:
    """Run everything over the videos: first the detector, then what looks at boxes, then here."""
    found = find_objects(detector, videos, threshold, report)
    seen = look_at(looks, videos, found, report) if looks is not None else None
    # What the first update imports is none of a frame's time.
    TRACKERS[tracker]().update(*found[0], (lambda _: seen[0]) if seen is not None else None)
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
        # Where nothing is to be seen in a whole video, the truth is not known.
        judged.append(truth if any(len(one.truth) for one in truth) else [])
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
