"""Value by value: pixels of a picture, instants of a sound, each drawn given those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.generating.asking import Ask, Told, nobody
from edgekit.generating.drawing import drawn

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def by_pixel(
    ask: Ask,
    *,
    height: int,
    width: int,
    count: int,
    random: np.random.Generator,
    temperature: float = 1.0,
    told: Told = nobody,
) -> Array:
    """Pictures of a model that gives logits for each pixel of those before it, row by row.

    Van den Oord et al. 2016 (arXiv 1601.06759, section 2): one call a pixel.

    Args:
        ask: Pictures [N, height, width, 1] of levels → logits [N, height, width, levels].
        height: In pixels.
        width: In pixels.
        count: How many pictures.
        random: What is drawn follows from it.
        temperature: As of `drawn`.
        told: Told after each pixel how many are done, of how many.

    Returns:
        int64 [count, height, width], levels.
    """
    import numpy as np

    numbers = random.random((count, height, width))
    levels = np.zeros((count, height, width), np.int64)
    for place in range(height * width):
        at = (slice(None), *divmod(place, width))
        levels[at] = drawn(ask([levels[..., None]])[0][at], numbers[at], temperature)
        told(place + 1, height * width)
    return levels


def by_instant(
    ask: Ask,
    *,
    window: int,
    first: int,
    instants: int,
    count: int,
    random: np.random.Generator,
    temperature: float = 1.0,
    told: Told = nobody,
) -> Array:
    """Sequences of a model that gives logits for what follows each place of a window.

    Van den Oord et al. 2016 (arXiv 1609.03499): one call an instant. The window fills from its
    beginning; when it is full, the oldest instant leaves it.

    Args:
        ask: Levels [N, window] → logits [N, window, levels], at each place of the level behind it.
        window: Places of the window.
        first: The level that all begin after: silence, say.
        instants: How many to make.
        count: How many sequences.
        random: What is drawn follows from it.
        temperature: As of `drawn`.
        told: Told after each instant how many are done, of how many.

    Returns:
        int64 [count, instants], levels.
    """
    import numpy as np

    numbers = random.random((count, instants))
    levels = np.full((count, instants + max(1, window)), first, np.int64)
    for made in range(instants):
        # levels[:, 0] is `first`, levels[:, made] the last one known; what follows is not yet seen
        # by any place that counts.
        begin = max(0, made - window + 1)
        logits = ask([levels[:, begin : begin + window]])[0][:, made - begin]
        levels[:, made + 1] = drawn(logits, numbers[:, made], temperature)
        told(made + 1, instants)
    return levels[:, 1 : instants + 1]
