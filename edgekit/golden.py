"""Golden inputs: the few samples every artifact carries, with extremes that data sets lack.

Made from an `InputSpec` alone, or followed by samples of a data set. Deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

EXTREMES = 4
FROM_DATA = 8
WITHOUT_DATA = 32
_SEED = 20_260_101
_APART = 1_000  # between the seeds of two inputs


def extremes(spec: InputSpec, place: int = 0) -> Array:
    """Lowest, highest, a ramp over the range, uniform noise: [EXTREMES, *shape] of `spec.dtype`.

    The noise of inputs at different places is different.
    """
    import numpy as np

    low, high = spec.range
    size = int(np.prod(spec.shape, dtype=np.int64))
    flat = np.stack(
        [
            np.full(size, low),
            np.full(size, high),
            np.linspace(low, high, size),
            np.random.Generator(np.random.Philox(_SEED + _APART * place)).uniform(low, high, size),
        ]
    )
    return flat.reshape(EXTREMES, *spec.shape).astype(spec.dtype)


def noise(spec: InputSpec, count: int, place: int = 0) -> Array:
    """Uniform noise over the range: [count, *shape] of `spec.dtype`; another at each place."""
    import numpy as np

    low, high = spec.range
    generator = np.random.Generator(np.random.Philox(_SEED + 1 + _APART * place))
    return generator.uniform(low, high, (count, *spec.shape)).astype(spec.dtype)


def noise_inputs(specs: Sequence[InputSpec], count: int) -> dict[str, Array]:
    """Noise for every input of a model: name → [count, *shape]."""
    return {spec.name: noise(spec, count, place) for place, spec in enumerate(specs)}


def proof_inputs(specs: Sequence[InputSpec], drawn: Mapping[str, Array] | None) -> dict[str, Array]:
    """What an artifact is compared with its source on: extremes, then data (or noise).

    Args:
        specs: The model's inputs.
        drawn: Input name → [N, *shape] samples; None without a data set.

    Returns:
        Input name → [EXTREMES + N, *shape]; the first EXTREMES + FROM_DATA are the golden ones.
    """
    import numpy as np

    samples = noise_inputs(specs, WITHOUT_DATA) if drawn is None else drawn
    return {
        spec.name: np.concatenate([extremes(spec, place), samples[spec.name]])
        for place, spec in enumerate(specs)
    }
