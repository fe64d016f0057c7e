"""Networks over the frames of videos, on a device: what a detector finds, what boxes look like.

Knows artifacts, devices and frames. Does not track.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.batching import run_on_device
from edgekit.detection import Objects, gives_chosen, gives_objects, objects_of
from edgekit.errors import ArtifactError
from edgekit.measuring.contenders import job_of
from edgekit.progress import Progress, Report
from edgekit.run import Contender

if TYPE_CHECKING:
    import numpy as np

    from edgekit.datasets.images import Fit
    from edgekit.datasets.videos import Video
    from edgekit.spec import InputSpec
    from edgekit.transports.connect import Device

    Array = np.ndarray[Any, Any]

# What an embedding network sees: a square around a box, its side this many times the longer one of
# the box. Networks for pictures learn from things with some ground around them.
AROUND = 1.4


@dataclass(frozen=True, slots=True)
class Network:
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


def picture_size(network: Network) -> tuple[int, int]:
    """Height and width of the one picture that a network takes.

    Raises:
        ArtifactError: It takes something else, or gives no objects.
    """
    from edgekit.datasets.images import image_size

    names = [one.name for one in network.artifact.manifest.outputs]
    if not (gives_objects(names) or gives_chosen(names)):
        raise ArtifactError(
            f"{network.contender.path}: it gives {', '.join(names)}, no boxes with scores",
            hint="an artifact of a model for object-detection",
        )
    return image_size(network.spec, owner=network.contender.name)


def find_objects(
    detector: Network, videos: Sequence[Video], threshold: float, report: Report
) -> list[tuple[Array, Array]]:
    """Boxes [K, 4] in pixels of the frame and scores [K], frame by frame through all videos."""
    import numpy as np

    from edgekit.datasets.images import fit_picture, fit_pixels

    spec = detector.spec
    height, width = picture_size(detector)
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


def require_vector(network: Network) -> None:
    """The network gives a vector for a picture.

    Raises:
        ArtifactError: It gives something else.
    """
    outputs = network.artifact.manifest.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise ArtifactError(
            f"--embedding {network.contender.path}: it gives no vector for a picture",
            hint="a network with one output, [D] for each picture",
        )


def look_at(
    network: Network, videos: Sequence[Video], found: Sequence[tuple[Array, Array]], report: Report
) -> list[Array]:
    """What the boxes of each frame look like: [K, D] each."""
    import numpy as np

    from edgekit.datasets.images import fit_picture, fit_pixels, image_size

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
