"""Noise schedule of diffusion models, and the steps back from noise to a picture.

Ho et al. 2020 (arXiv 2006.11239): a picture x is mixed with normal noise ε,
√ᾱ(t) · x + √(1 − ᾱ(t)) · ε, and a model learns to tell ε. The schedule ᾱ is the squared cosine of
Nichol and Dhariwal 2021 (arXiv 2102.09672, section 3.2), the steps those of Song et al. 2021
(arXiv 2010.02502, equation 12, σ = 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.generating.asking import Ask, Told, nobody

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_OFFSET = 0.008  # so that the first step is not too small
# Of a quarter turn: at its end there would be noise alone, whose picture nothing can tell.
_TURN = 0.98


def kept_signal(steps: int) -> Array:
    """ᾱ of each time, the share of the picture in the mixture's variance: float64 [steps].

    Args:
        steps: How many times there are; 0 is nearly the picture, the last nearly noise.

    Raises:
        ValueError: Fewer than two steps.
    """
    import numpy as np

    if steps < 2:
        raise ValueError(f"a schedule has at least two steps, not {steps}")
    at = _TURN * (np.arange(steps + 1) / steps + _OFFSET) / (1 + _OFFSET)
    kept = np.cos(at * np.pi / 2) ** 2
    return np.asarray(kept[1:] / kept[0])


def mixed(pictures: Array, noise: Array, kept: Array) -> Array:
    """Pictures with noise: [N, ...].

    Args:
        pictures: [N, ...], in −1–1.
        noise: Alike, normal.
        kept: ᾱ, [N].
    """
    import numpy as np

    share = kept.reshape(-1, *[1] * (pictures.ndim - 1))
    return np.asarray(np.sqrt(share) * pictures + np.sqrt(1 - share) * noise)


def denoise(
    ask: Ask,
    *,
    shape: tuple[int, ...],
    times: int,
    steps: int,
    count: int,
    random: np.random.Generator,
    told: Told = nobody,
) -> Array:
    """Pictures of a model that tells noise, by steps of DDIM: nothing is drawn but the beginning.

    Args:
        ask: [N, *shape] noisy pictures, [N] times → [N, *shape] noise.
        shape: Of one picture.
        times: That the model was trained with.
        steps: Calls; times are left out evenly.
        count: How many pictures.
        random: What they begin with follows from it.
        told: Told after each step how many are done, of how many.

    Returns:
        float64 [count, *shape], in −1–1.

    Raises:
        ValueError: More steps than times, or none.
    """
    import numpy as np

    if not 1 <= steps <= times:
        raise ValueError(f"{steps} steps of {times} times")
    kept = kept_signal(times)
    noisy = random.standard_normal((count, *shape))
    pictures = noisy
    way = np.rint(np.linspace(times - 1, 0, steps)).astype(np.int64)
    for number, time in enumerate(way):
        noise = ask([noisy, np.full(count, time)])[0]
        share = kept[time]
        # A picture has no values beyond −1–1; what noise is left, when that is known, is told anew.
        pictures = np.clip((noisy - np.sqrt(1 - share) * noise) / np.sqrt(share), -1, 1)
        noise = (noisy - np.sqrt(share) * pictures) / np.sqrt(1 - share)
        if number + 1 < len(way):
            after = np.full(count, kept[way[number + 1]])
            noisy = mixed(pictures, noise, after)
        told(number + 1, steps)
    return pictures
