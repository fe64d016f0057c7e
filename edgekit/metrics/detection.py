"""Mean average precision as COCO computes it, with intervals from resampled pictures.

pycocotools matches detections with objects, each picture once. Precision, recall and the mean over
classes follow here, because a bootstrap needs them hundreds of times with pictures counted more or
less often; with every picture once they are COCO's own figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.detection import Objects, decode
from edgekit.errors import MissingExtraError
from edgekit.metrics.base import Metric, MetricValue

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# All that may count: COCO takes a hundred objects a picture, however unsure.
THRESHOLD = 0.005
MOST = 100
COCO_OVERLAPS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_RECALLS = 101
_RESAMPLES = 400
_SEED = 20_260_102
# Any square does: boxes are parts, pycocotools only divides its sizes into small, middle and large.
_SIDE = 1000.0


class MeanAveragePrecision(Metric):
    """Average precision over classes and some limits of IoU (Lin et al. 2014, arXiv 1405.0312).

    The interval is a percentile bootstrap over pictures, and the drop's a paired one: the same
    pictures are drawn for both models.

    Args:
        name: Of the metric.
        overlaps: IoU that a detection needs to be right; the mean is over all of them.
    """

    task = "detection"

    def __init__(self, name: str, overlaps: Sequence[float]) -> None:
        self.name = name
        self._overlaps = tuple(overlaps)

    def measure(
        self, outputs: Sequence[Array], labels: Array, reference: Sequence[Array] | None
    ) -> MetricValue:
        import numpy as np

        count = len(labels)
        draws = np.random.Generator(np.random.Philox(_SEED)).integers(0, count, (_RESAMPLES, count))
        weights = np.stack([np.bincount(draw, minlength=count) for draw in draws])
        value, values = self._figures(outputs, labels, weights)
        if reference is None:
            return MetricValue(self.name, count, value, _interval(values))
        before, befores = self._figures(reference, labels, weights)
        return MetricValue(
            name=self.name,
            samples=count,
            value=value,
            ci95=_interval(values),
            reference=before,
            drop=before - value,
            drop_ci95=_interval(befores - values),
        )

    def _figures(
        self, outputs: Sequence[Array], labels: Array, weights: Array
    ) -> tuple[float, Array]:
        """The figure in points, and those of resampled pictures."""
        import numpy as np

        matches = match(outputs, labels, self._overlaps)
        once = np.ones((1, len(labels)))
        value = average_precision(matches, once)[0]
        return 100 * float(value), 100 * average_precision(matches, weights)


@dataclass(frozen=True, slots=True)
class Matches:
    """What became of the detections of one class in all pictures, best first.

    Attributes:
        name: Position of the class.
        scores: [D].
        pictures: [D], the picture of each.
        right: bool [T, D]: it is an object, at each limit of IoU.
        objects: [N], objects of the class in each picture.
    """

    name: int
    scores: Array
    pictures: Array
    right: Array
    objects: Array


def match(outputs: Sequence[Array], labels: Array, overlaps: Sequence[float]) -> list[Matches]:
    """Match detections with objects, by pycocotools.

    Args:
        outputs: boxes [N, A, 4] and scores [N, A, C], logits; or, of a model that chooses objects
            itself, boxes [N, K, 4], scores [N, K] in 0–1 and classes [N, K].
        labels: [N, M, 5] rows of class, left, top, right, bottom; class −1 where there is none.
        overlaps: Limits of IoU.

    Returns:
        One entry per class that has an object.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    import numpy as np

    evaluation = _evaluated(outputs, labels, overlaps)
    pictures = len(labels)
    found = []
    for position in evaluation.params.catIds:
        objects = (labels[..., 0] == position).sum(axis=1)
        parts: list[tuple[Array, Array, Array]] = []
        for picture in range(pictures):
            one = evaluation.evalImgs[position * pictures + picture]
            if one is not None:
                scores = np.asarray(one["dtScores"], np.float64)
                right = np.asarray(one["dtMatches"]).reshape(len(overlaps), len(scores)) > 0
                parts.append((scores, np.full(len(scores), picture), right))
        if not objects.any():
            continue
        scores, where, right = (
            np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)
        )
        order = np.argsort(-scores, kind="stable")
        found.append(Matches(position, scores[order], where[order], right[:, order], objects))
    return found


def _evaluated(outputs: Sequence[Array], labels: Array, overlaps: Sequence[float]) -> Any:
    """pycocotools' evaluation of each picture and class, `COCOeval.evaluate` without its prints."""
    import numpy as np

    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise MissingExtraError("pycocotools", "data", "measuring detectors") from None

    evaluation = COCOeval(iouType="bbox")
    parameters = evaluation.params
    truth, guesses = evaluation._gts, evaluation._dts  # noqa: SLF001  what its loader fills
    for picture, rows in enumerate(np.asarray(labels, np.float64)):
        for row in rows[rows[:, 0] >= 0]:
            _add(truth, picture, row[0], row[1:])
        objects = _objects([output[picture] for output in outputs])
        found = zip(objects.boxes, objects.scores, objects.classes, strict=True)
        for box, score, kind in found:
            _add(guesses, picture, kind, box.astype(np.float64), score=float(score))
    kinds = 1 + max((kind for _, kind in (*truth, *guesses)), default=0)
    parameters.imgIds, parameters.catIds = list(range(len(labels))), list(range(kinds))
    parameters.iouThrs = np.asarray(overlaps)
    parameters.areaRng, parameters.areaRngLbl = [[0, 1e10]], ["all"]
    parameters.maxDets = [MOST]
    pairs = [(picture, kind) for kind in parameters.catIds for picture in parameters.imgIds]
    evaluation.ious = {pair: evaluation.computeIoU(*pair) for pair in pairs}
    evaluation.evalImgs = [
        evaluation.evaluateImg(*pair, parameters.areaRng[0], MOST) for pair in pairs
    ]
    return evaluation


def _objects(outputs: Sequence[Array]) -> Objects:
    """What a model found in one picture, as far as it may count."""
    import numpy as np

    if len(outputs) == 2:
        return decode(outputs[0], outputs[1], threshold=THRESHOLD, most=MOST)
    boxes, scores, classes = outputs
    found = np.flatnonzero(scores >= THRESHOLD)
    found = found[np.argsort(-scores[found], kind="stable")][:MOST]
    return Objects(boxes[found], scores[found], np.rint(classes[found]).astype(np.int64))


def _add(side: Any, picture: int, kind: Any, edges: Array, **more: float) -> None:
    """Put a box into the truth or the guesses of an evaluation."""
    left, top, right, bottom = (float(edge) * _SIDE for edge in edges)
    width, height = right - left, bottom - top
    entries = side[picture, int(kind)]
    # Numbers begin at 1: 0 means no match.
    entries.append(
        {
            "id": len(entries) + 1,
            "image_id": picture,
            "category_id": int(kind),
            "bbox": [left, top, width, height],
            "area": width * height,
            "iscrowd": 0,
            "ignore": 0,
            **more,
        }
    )


def average_precision(matches: Sequence[Matches], weights: Array) -> Array:
    """Mean over classes and limits of IoU for pictures counted as often as `weights` say.

    Args:
        matches: One entry per class.
        weights: [R, N], one row per figure.

    Returns:
        [R], 0–1; a class without an object among the pictures counted is left out.
    """
    import numpy as np

    means = np.full((len(matches), len(weights)), np.nan)
    for kind, one in enumerate(matches):
        for row, weight in enumerate(weights):
            total = float(weight @ one.objects)
            if total:
                curves = precision_at_recalls(one, weight, total)
                means[kind, row] = curves.mean()
    known = ~np.isnan(means)
    sums = np.where(known, means, 0.0).sum(axis=0)
    return np.asarray(sums / np.maximum(known.sum(axis=0), 1))


def precision_at_recalls(one: Matches, weight: Array, total: float) -> Array:
    """Highest precision at or beyond each of 101 recalls from 0 to 1: [T, 101].

    Args:
        one: A class.
        weight: [N], how often each picture counts.
        total: Objects of the class, so counted.
    """
    import numpy as np

    recalls = np.linspace(0.0, 1.0, _RECALLS)
    counted = weight[one.pictures].astype(np.float64)
    seen = np.cumsum(counted)
    hits = np.cumsum(one.right * counted, axis=1)
    recall = hits / total
    # COCO's own guard against 0 / 0.
    precision = hits / np.maximum(seen, np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    result = np.zeros((len(hits), _RECALLS))
    for limit in range(len(hits)):
        places = np.searchsorted(recall[limit], recalls, side="left")
        reached = places < len(seen)
        result[limit, reached] = precision[limit, places[reached]]
    return result


def _interval(values: Array) -> tuple[float, float]:
    import numpy as np

    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
