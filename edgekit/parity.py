"""Compare an artifact's outputs with its source's, and judge.

Knows arrays, tolerances and limits. Does not know how a model was exported or where it ran: callers
hand in outputs, and get back numbers or a `GateError`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError, GateError
from edgekit.manifest import Parity
from edgekit.metrics import MetricValue
from edgekit.spec import Gate

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_DB = 150.0  # float32 ends there: nothing differs


def compare(outputs: Sequence[Array], reference: Sequence[Array]) -> Parity:
    """Difference over all outputs and samples.

    Args:
        outputs: One [N, ...] array per output of the artifact, dequantized.
        reference: The same of the source model.

    Raises:
        ConversionError: Another number of outputs, another shape, or a value that is not finite.
    """
    import numpy as np

    if [a.shape for a in outputs] != [b.shape for b in reference]:
        raise ConversionError(
            f"outputs have the shapes {[list(a.shape) for a in outputs]}, "
            f"the source model's {[list(b.shape) for b in reference]}"
        )
    largest, least_db = 0.0, _MOST_DB
    agreeing = np.ones(len(reference[0]), bool)
    # Boxes and caches have no label: outputs with one score a class [N, C] are compared. Of places
    # [N, places, classes], where there is nothing else, which is surest says little: the class of
    # the highest score is compared, in the last output alone.
    judged = [place for place, array in enumerate(reference) if array.ndim <= 2]
    judged = judged or [len(reference) - 1]
    for index, (mine, theirs) in enumerate(zip(outputs, reference, strict=True)):
        difference = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
        if not np.isfinite(difference).all():
            raise ConversionError("outputs that are NaN or infinite cannot be compared")
        largest = max(largest, float(difference.max(initial=0.0)))
        least_db = min(least_db, _snr_db(theirs, difference))
        if index in judged:
            agreeing &= _labels(mine) == _labels(theirs)
    return Parity(largest, float(agreeing.mean()), len(agreeing), snr_db=least_db)


def _snr_db(reference: Array, difference: Array) -> float:
    """Power of an output over power of its error, in decibels, within ±`_MOST_DB`."""
    import numpy as np

    signal = float(np.mean(np.square(reference, dtype=np.float64))) if reference.size else 0.0
    noise = float(np.mean(np.square(difference))) if difference.size else 0.0
    if not noise:
        return _MOST_DB
    if not signal:
        return -_MOST_DB
    return max(-_MOST_DB, min(_MOST_DB, 10 * (math.log10(signal) - math.log10(noise))))


def _labels(output: Array) -> Array:
    """Of each sample, the class of its highest value: int64 [N]."""
    import numpy as np

    highest = output.reshape(len(output), -1).argmax(axis=1)
    return np.asarray(highest % output.shape[-1] if output.ndim > 2 else highest)


def check_parity(
    label: str, precision: str, parity: Parity, reference: Sequence[Array], gate: Gate
) -> None:
    """Refuse a float32 artifact that differs from its source.

    The limit is absolute for outputs up to 1 in magnitude and grows with larger ones, as float32
    rounding does; a `model.toml` that sets `gate.max_abs` means it as it stands.

    Raises:
        GateError: The largest difference is over the limit.
    """
    import numpy as np

    if precision != "fp32":
        return
    peak = max(float(np.abs(array).max(initial=0.0)) for array in reference)
    limit = gate.max_abs * (1.0 if gate.strict else max(1.0, peak))
    if not parity.max_abs <= limit:
        raise GateError(
            f"{label} differs from its source by {parity.max_abs:.3g}; the limit is {limit:.3g}",
            f"over {parity.samples:,} samples, same top-1 label in {parity.top1_agreement:.2%}",
            limit=f"max_abs of {gate.origin}",
        )


def check_likeness(label: str, parity: Parity, reference: Sequence[Array], gate: Gate) -> None:
    """Refuse an artifact that gives something else than its source, where no metric says so.

    Labels are compared where the source gives one score a class: a single output [N, C].

    Raises:
        GateError: Signal over noise or the share of equal labels is under its limit.
    """
    missed = []
    snr, share = parity.snr_db, parity.top1_agreement
    if gate.min_snr_db is not None and snr is not None and snr < gate.min_snr_db:
        missed.append((f"signal {snr:.1f} dB", f"{gate.min_snr_db:.0f} dB", "min_snr_db"))
    scores = len(reference) == 1 and reference[0].ndim == 2 and reference[0].shape[1] > 1
    if gate.min_agreement is not None and scores and share < gate.min_agreement:
        missed.append((f"same label {share:.1%}", f"{gate.min_agreement:.0%}", "min_agreement"))
    if missed:
        found, limits, names = (", ".join(parts) for parts in zip(*missed, strict=True))
        raise GateError(
            f"{label} gives something else than its source: {found}; at least {limits} is wanted",
            f"over {parity.samples:,} samples without labels",
            limit=f"{names} of {gate.origin}",
            hint="more --calibration-samples, data like the file's own (--input-range, --mean, "
            "--std), or --allow-drop if you accept the loss",
        )


def check_metric(label: str, model: str, metric: MetricValue, gate: Gate) -> None:
    """Refuse an artifact that loses too much of the metric.

    Raises:
        GateError: The drop is over the limit.
    """
    if metric.drop is None or metric.drop_ci95 is None or metric.drop <= gate.max_drop:
        return
    low, high = metric.drop_ci95
    drop, limit = told_apart(metric.drop, gate.max_drop)
    error = GateError(
        f"{model} {label} loses {drop} {metric.scale.of(metric.name)}; the limit is {limit}",
        f"source {metric.scale.text(metric.reference or 0.0)}, artifact "
        f"{metric.scale.text(metric.value)}, over {metric.samples:,} samples; the drop's 95 % "
        f"interval is {low:.2f} to {high:.2f}",
        limit=f"max_drop of {gate.origin}",
        hint="more --calibration-samples, or --allow-drop if you accept the loss",
    )
    error.drop = metric.drop
    raise error


def told_apart(drop: float, limit: float) -> tuple[str, str]:
    """Both as text, with as many decimals as it takes to see that they differ: 2 to 6."""
    for digits in range(2, 7):
        texts = f"{drop:.{digits}f}", f"{limit:.{digits}f}"
        if texts[0] != texts[1]:
            break
    return texts
