"""Paths of glyphs that move: where the centre is at a time, each kind of path its own function.

A motion takes eight numbers in 0–1 and a time in frames and gives x and y in parts of the picture;
beyond 0–1 the glyph has left it. All are smooth and come back. Knows no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Motion = Callable[[Sequence[float], float], tuple[float, float]]


def _turn(die: float, time: float, *, fastest: float = 70.0, slowest: float = 170.0) -> float:
    """Radians after `time` frames, at one of the speeds between the two periods."""
    return 2 * math.pi * time / (fastest + (slowest - fastest) * die)


def orbit(dice: Sequence[float], time: float) -> tuple[float, float]:
    """Around an ellipse, either way."""
    angle = 2 * math.pi * dice[0] + math.copysign(_turn(dice[1], time), dice[2] - 0.5)
    x = 0.3 + 0.4 * dice[3] + (0.15 + 0.45 * dice[5]) * math.cos(angle)
    y = 0.3 + 0.4 * dice[4] + (0.15 + 0.45 * dice[6]) * math.sin(angle)
    return x, y


def shuttle(dice: Sequence[float], time: float) -> tuple[float, float]:
    """Along a straight line and back, slowly where it turns."""
    along = math.cos(2 * math.pi * dice[0] + _turn(dice[1], time))
    angle = 2 * math.pi * dice[2]
    reach = 0.25 + 0.45 * dice[5]
    x = 0.3 + 0.4 * dice[3] + reach * along * math.cos(angle)
    y = 0.3 + 0.4 * dice[4] + reach * along * math.sin(angle)
    return x, y


def eight(dice: Sequence[float], time: float) -> tuple[float, float]:
    """A figure of eight, lying or standing (Lissajous, 1 : 2)."""
    angle = 2 * math.pi * dice[0] + _turn(dice[1], time, fastest=100.0, slowest=200.0)
    long, short = (
        (0.3 + 0.35 * dice[5]) * math.cos(angle),
        (0.15 + 0.2 * dice[6]) * math.sin(2 * angle),
    )
    across, down = (long, short) if dice[2] < 0.5 else (short, long)
    return 0.3 + 0.4 * dice[3] + across, 0.3 + 0.4 * dice[4] + down


def wander(dice: Sequence[float], time: float) -> tuple[float, float]:
    """No figure: sines whose periods have no common multiple."""
    places = []
    for axis in (0, 1):
        turned = _turn(dice[1 + axis], time, fastest=90.0, slowest=200.0)
        phase = 2 * math.pi * dice[3 + axis]
        large = (0.25 + 0.25 * dice[5 + axis]) * math.sin(turned + phase)
        small = 0.12 * math.sin(math.e * turned + 2 * math.pi * dice[7] + axis)
        places.append(0.3 + 0.4 * dice[0 if axis else 7] + large + small)
    return places[0], places[1]


TRAINING_MOTIONS: tuple[Motion, ...] = (orbit, shuttle)
TEST_MOTIONS: tuple[Motion, ...] = (eight, wander)
