"""Rules about kernels: dead channels, and weights that take the steps of all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.grid import STEPS
from edgekit.quantization.condition.linear import Linear, kernel_of
from edgekit.quantization.lint.finding import ALL_TARGETS, Finding
from edgekit.quantization.lint.observed import Observed

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# A channel whose largest weight is this much smaller than the layer's gives nothing.
_DEAD = 1e-6
# Ratio of the widest channel to the middle one from which one scale for all outputs is too coarse.
_UNEVEN = 32.0


@dataclass(frozen=True, slots=True)
class _Kernel:
    linear: Linear
    rows: Array  # [channels, weights of each], absolute values

    @property
    def name(self) -> str:
        return str(self.linear.node.name)

    @property
    def peaks(self) -> Array:
        found: Array = self.rows.max(axis=1)
        return found


def rules(observed: Observed) -> Iterator[Finding]:
    """Every finding about kernels."""
    kernels = [_kernel(observed, linear) for linear in observed.linears]
    yield from _dead(kernels)
    yield from _outliers(kernels)
    yield from _uneven(kernels)


def _kernel(observed: Observed, linear: Linear) -> _Kernel:
    import numpy as np

    kernel = np.abs(kernel_of(observed.graph, linear))
    last = np.moveaxis(kernel, linear.axes, range(len(linear.axes)))
    return _Kernel(linear, last.reshape(linear.channels, -1))


def _dead(kernels: list[_Kernel]) -> Iterator[Finding]:
    found = []
    for kernel in kernels:
        peaks = kernel.peaks
        dead = int((peaks <= _DEAD * peaks.max(initial=0.0)).sum())
        if dead:
            found.append((dead / len(peaks), dead, len(peaks), kernel.name))
    if found:
        share, dead, channels, name = max(found)
        yield Finding(
            rule="dead-channels",
            ops=tuple(entry[3] for entry in found),
            value=share,
            figure=f"{dead} of {channels} output channels of {_short(name)} are zero",
            why="they are computed and stored for nothing, and a channel without a range gets "
            "whatever step a converter makes up",
            targets=ALL_TARGETS,
            rewrite="remove these channels and what reads them, or train without what killed them",
        )


def _outliers(kernels: list[_Kernel]) -> Iterator[Finding]:
    """Channels whose largest weight makes the step so wide that most of the others become zero."""
    import numpy as np

    found = []
    for kernel in kernels:
        if kernel.rows.shape[1] < 4:
            continue  # too few to speak of the others
        peaks = kernel.peaks
        step = peaks / STEPS
        lost = ((kernel.rows < step[:, None] / 2) & (kernel.rows > 0)).mean(axis=1)
        worst = int(np.argmax(lost))
        if lost[worst] > 0.5:
            middle = float(np.median(kernel.rows[worst][kernel.rows[worst] > 0]))
            ratio = float(peaks[worst]) / middle
            found.append((float(lost[worst]), ratio, worst, kernel.name))
    if found:
        lost_share, ratio, worst, name = max(found)
        yield Finding(
            rule="weight-outliers",
            ops=tuple(entry[3] for entry in found),
            value=ratio,
            figure=f"in channel {worst} of {_short(name)} the largest weight is {ratio:,.0f} times "
            f"the middle one; {100 * lost_share:.0f} % of the others round to 0",
            why="a channel has one step, its largest weight / 127",
            targets=ALL_TARGETS,
            rewrite="clip the outlier and train on for some steps, or keep this layer in float",
        )


def _uneven(kernels: list[_Kernel]) -> Iterator[Finding]:
    import numpy as np

    found = []
    for kernel in kernels:
        peaks = kernel.peaks
        live = peaks[peaks > _DEAD * peaks.max(initial=0.0)]
        if len(live) < 4:
            continue
        ratio = float(live.max()) / float(np.median(live))
        if ratio >= _UNEVEN:
            found.append((ratio, kernel.name))
    if found:
        ratio, name = max(found)
        yield Finding(
            rule="uneven-channels",
            ops=tuple(entry[1] for entry in found),
            value=ratio,
            figure=f"the widest channel of {_short(name)} is {ratio:,.0f} times the middle one",
            why="all output channels share one activation scale: the narrow ones get few steps "
            "(and kernels with one scale for all channels are worse still)",
            targets=ALL_TARGETS,
            rewrite="scale the channel down here and up in the kernels that read it (cross-layer "
            "equalization), where only ReLU or nothing stands between",
        )


def _short(name: str) -> str:
    return name.partition("/")[2] or name
