"""Put names beside points so that they cover neither each other nor the points.

Knows boxes in pixels. Tries every place around each point and takes the one that covers least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)


# Directions from the point; the first is taken where nothing is in the way.
_DIRECTIONS = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
_REACHES = (9.0, 20.0, 34.0, 50.0, 68.0)


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    frame: Box,
) -> list[Box]:
    """A box for the name of every point.

    Args:
        points: Centres in pixels.
        sizes: Width and height of the names.
        obstacles: What should stay visible: markers and intervals.
        frame: What the names must stay inside of.
    """
    done: dict[int, Box] = {}
    # From the top down: names fan out above and below a crowd instead of crossing it.
    for index in sorted(range(len(points)), key=lambda one: (-points[one][1], points[one][0])):
        candidates = _around(points[index], sizes[index])
        done[index] = min(
            candidates,
            key=lambda found: _cost(found, (*obstacles, *done.values()), frame),
        )[0]
    return [done[index] for index in range(len(points))]


def _around(point: tuple[float, float], size: tuple[float, float]) -> list[tuple[Box, float]]:
    """Boxes around a point, each with what its distance costs."""
    found = []
    width, height = size
    for far, reach in enumerate(_REACHES):
        for number, (across, up) in enumerate(_DIRECTIONS):
            x = point[0] + across * reach - (width if across < 0 else width / 2 * (across == 0))
            y = point[1] + up * reach * 0.8 - height / 2
            found.append((Box(x, y, x + width, y + height), 40.0 * far + number))
    return found


def _cost(found: tuple[Box, float], taken: Sequence[Box], frame: Box) -> float:
    box, distance = found
    outside = box.area - box.overlap(frame)
    # A name that covers another one can be read elsewhere; one that is cut off cannot.
    return distance + 10_000 * outside + 4 * sum(box.overlap(other) for other in taken)
