"""How a device on a wrist moves, and what its accelerometer and gyroscope then measure.

A gesture is a path of the hand in the plane before the body and a twist of the forearm; strokes are
minimum-jerk (Flash and Hogan 1985, doi:10.1523/JNEUROSCI.05-07-01688.1985). The forearm turns about
the elbow as the hand moves, so that the device turns too. Whole batches at once; knows no split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

RATE_HZ = 50.0
CHANNELS = 6
MOST_G, MOST_RAD_S = 4.0, 8.7  # what the sensors end at: ±4 g, ±500 degrees a second

_GRAVITY = 9.81  # m/s²
_RETURN = 2.0  # the way back takes so many times as long as the gesture

Interval = tuple[float, float]
# (uniform numbers) → numbers spread evenly over the intervals.
_Draw = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class People:
    """Who moves, and where; most entries are a choice of intervals, drawn evenly.

    Attributes:
        tempo: Factor on a gesture's duration.
        reach: Factor on its lengths.
        grip: Degrees, either way, by which the device sits turned on the wrist, about each axis.
        slant: Degrees, either way, by which a drawn path is tilted.
        forearm: Metres from elbow to hand.
        noise: Deviation of the accelerometer's noise in g; the gyroscope's is five times that, in
            radians a second. One interval.
        surroundings: Names in `SURROUNDINGS`.
    """

    tempo: tuple[Interval, ...]
    reach: tuple[Interval, ...]
    grip: tuple[Interval, ...]
    slant: tuple[Interval, ...]
    forearm: tuple[Interval, ...]
    noise: Interval
    surroundings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gesture:
    """One kind of movement.

    Attributes:
        seconds: Duration at tempo 1.
        path: (part of the gesture done [N, T] in 0–1, uniform numbers [N, 3]) → x to the right and
            z up in metres [N, T, 2], at reach 1; both 0 at the beginning. What is left of them at
            the end the hand takes back slowly.
        twist: The same → radians about the forearm [N, T].
    """

    seconds: Interval
    path: Callable[[Any, Any], Any]
    twist: Callable[[Any, Any], Any] | None = None


def stroke(part: Any) -> Any:
    """Minimum-jerk way from 0 to 1; `part` is cut to 0–1."""
    s = part.clip(0.0, 1.0)
    return s * s * s * (10 + s * (6 * s - 15))


def _swipe(x: float, z: float) -> Callable[[Any, Any], Any]:
    def path(part: Any, _: Any) -> Any:
        import numpy as np

        return 0.32 * stroke(part)[..., None] * np.array([x, z])

    return path


def _circle(part: Any, chance: Any) -> Any:
    import numpy as np

    angle = 2 * np.pi * stroke(part) * np.where(chance[:, :1] < 0.5, 1.0, -1.0)
    return 0.12 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=-1)


def _zigzag(part: Any, _: Any) -> Any:
    import numpy as np

    one, two, three = (stroke(3 * part - at) for at in range(3))
    return 0.22 * np.stack([one - two + three, -two], axis=-1)


def _shake(part: Any, chance: Any) -> Any:
    import numpy as np

    turns = 3 + 2 * chance[:, :1]
    swelling = np.sin(np.pi * part.clip(0.0, 1.0)) ** 2
    x = 0.045 * swelling * np.sin(2 * np.pi * turns * part)
    return np.stack([x, 0.2 * x], axis=-1)


def _taps(part: Any, chance: Any) -> Any:
    """Two small arcs that end on something hard: the kinks are what an accelerometer sees."""
    import numpy as np

    first = 0.4 + 0.2 * chance[:, :1]
    s = part.clip(0.0, 1.0)
    arc = np.where(s < first, s / first, (s - first) / (1 - first))
    return np.stack([np.zeros_like(s), 0.1 * arc * (1 - arc)], axis=-1)


def _wander(part: Any, chance: Any) -> Any:
    """The hand rests, or goes somewhere without haste."""
    import numpy as np

    direction = 2 * np.pi * chance[:, 1:2]
    way = 0.25 * stroke(part) * (chance[:, :1] > 0.4) * (0.3 + 0.7 * chance[:, 2:3])
    return np.stack([way * np.cos(direction), way * np.sin(direction)], axis=-1)


def _still(part: Any, _: Any) -> Any:
    import numpy as np

    return np.zeros((*part.shape, 2))


def _twist(part: Any, chance: Any) -> Any:
    """The forearm turned and turned back, as a key in a lock."""
    import numpy as np

    way = np.where(chance[:, :1] < 0.5, 1.0, -1.0)
    return 1.2 * way * (stroke(2 * part) - stroke(2 * part - 1))


GESTURES: Mapping[str, Gesture] = {
    "nothing": Gesture((0.9, 1.3), _wander),
    "swipe-left": Gesture((0.4, 0.55), _swipe(-1, 0)),
    "swipe-right": Gesture((0.4, 0.55), _swipe(1, 0)),
    "swipe-up": Gesture((0.4, 0.55), _swipe(0, 1)),
    "swipe-down": Gesture((0.4, 0.55), _swipe(0, -1)),
    "circle": Gesture((0.65, 0.9), _circle),
    "zigzag": Gesture((0.75, 0.95), _zigzag),
    "shake": Gesture((0.7, 0.95), _shake),
    "double-tap": Gesture((0.35, 0.5), _taps),
    "twist": Gesture((0.5, 0.7), _still, _twist),
}
CLASSES = tuple(GESTURES)

# How many numbers `Motion` takes of one sample: of the person, and of each gesture.
_OF_PERSON, _OF_GESTURE = 16, 8


def uniforms_for(gestures: int) -> int:
    """How many uniform numbers a sample with so many gestures takes."""
    return _OF_PERSON + gestures * _OF_GESTURE


@dataclass(frozen=True, slots=True)
class Motion:
    """What happens in N samples of T steps.

    Attributes:
        readings: float64 [N, T, 6]: accelerometer x, y, z in g, gyroscope x, y, z in radians a
            second, without the sensor's own noise. The device's x points to the right across the
            wrist, y along the forearm to the fingers, z out of its face.
        active: int64 [N, T]: the class of the gesture under way.
        turned: float64 [N, T, 3, 3]: columns are the device's axes in the world.
    """

    readings: Array
    active: Array
    turned: Array


def move(kinds: Array, chance: Array, people: People, steps: int, first: Interval) -> Motion:
    """Samples in which gestures follow one another.

    Args:
        kinds: int64 [N, G], classes in order.
        chance: float64 [N, `uniforms_for(G)`] in 0–1: all that is random.
        people: Who moves.
        steps: Steps of a sample, `RATE_HZ` a second.
        first: Seconds after which the first gesture begins.
    """
    import numpy as np

    # One step more on either side: velocities and accelerations are differences.
    time = (np.arange(-1, steps + 1) / RATE_HZ)[None]
    person, gestures = chance[:, :_OF_PERSON], chance[:, _OF_PERSON:]
    tempo, reach, forearm = (
        _among(person[:, at : at + 1], choice)
        for at, choice in enumerate((people.tempo, people.reach, people.forearm))
    )
    place = np.zeros((len(kinds), steps + 2, 2))
    twist = np.zeros((len(kinds), steps + 2))
    active = np.zeros((len(kinds), steps + 2), np.int64)
    begin = _between(person[:, 3:4], first)
    for number in range(kinds.shape[1]):
        mine = gestures[:, number * _OF_GESTURE :][:, :_OF_GESTURE]
        ends = np.empty_like(begin)
        for kind in np.unique(kinds[:, number]):
            rows = np.flatnonzero(kinds[:, number] == kind)
            gesture, own = GESTURES[CLASSES[kind]], mine[rows]
            seconds = tempo[rows] * _between(own[:, :1], gesture.seconds)
            part = (time - begin[rows]) / seconds
            # Slowly back from wherever it ended.
            back = 1 - stroke((part - 1.15) / _RETURN)
            size = reach[rows] * (0.9 + 0.2 * own[:, 1:2])
            path = gesture.path(part, own[:, 2:5]) * (size * back)[..., None]
            place[rows] += _tilted(path, _signed(own[:, 5:6], people.slant))
            if gesture.twist is not None:
                twist[rows] += gesture.twist(part, own[:, 2:5]) * size
            active[rows] = np.where((part >= 0) & (part < 1), kind, active[rows])
            ends[rows] = begin[rows] + seconds
        begin = ends + 0.1 + 0.5 * mine[:, 6:7]
    grip = np.concatenate(
        [_signed(person[:, at : at + 1], people.grip) for at in range(4, 7)], axis=1
    )
    shaken, swayed = _surroundings(person[:, 7:16], time, people.surroundings)
    # Hand to the right: the forearm turns to the right about the vertical; up: it rises.
    angles = np.stack([-place[..., 0] / forearm, place[..., 1] / forearm, twist], axis=-1)
    angles += grip[:, None] + swayed
    world = np.stack([place[..., 0], np.zeros_like(twist), place[..., 1]], axis=-1)
    accelerated = np.diff(world, 2, axis=1) * RATE_HZ**2 + shaken[:, 1:-1]
    rates = (angles[:, 2:] - angles[:, :-2]) * (RATE_HZ / 2)
    now = angles[:, 1:-1]
    felt = accelerated / _GRAVITY + np.array([0.0, 0.0, 1.0])  # at rest it is held up against 1 g
    turned = turns(now)
    readings = np.concatenate(
        [np.einsum("ntij,nti->ntj", turned, felt), body_rates(now, rates)], axis=-1
    )
    return Motion(readings, active[:, 1:-1], turned)


def turns(angles: Array) -> Array:
    """Rotations of yaw about z, then pitch about x, then roll about y: [..., 3] → [..., 3, 3]."""
    import numpy as np

    (cy, cp, cr), (sy, sp, sr) = (np.moveaxis(f(angles), -1, 0) for f in (np.cos, np.sin))
    rows = [
        [cy * cr - sy * sp * sr, -sy * cp, cy * sr + sy * sp * cr],
        [sy * cr + cy * sp * sr, cy * cp, sy * sr - cy * sp * cr],
        [-cp * sr, sp, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def body_rates(angles: Array, rates: Array) -> Array:
    """What a gyroscope measures while yaw, pitch and roll change at `rates`: all [..., 3]."""
    import numpy as np

    yaw, pitch, roll = np.moveaxis(rates, -1, 0)
    up, along = yaw * np.cos(angles[..., 1]), yaw * np.sin(angles[..., 1])
    cr, sr = np.cos(angles[..., 2]), np.sin(angles[..., 2])
    return np.stack([cr * pitch - sr * up, roll + along, sr * pitch + cr * up], axis=-1)


def _surroundings(chance: Array, time: Array, names: tuple[str, ...]) -> tuple[Array, Array]:
    """What the person or the vehicle adds: m/s² [N, T, 3] and radians [N, T, 3]."""
    import numpy as np

    shaken = np.zeros((len(chance), time.shape[1], 3))
    swayed = np.zeros_like(shaken)
    which = (chance[:, 0] * len(names)).astype(np.int64)
    for number, name in enumerate(names):
        rows = np.flatnonzero(which == number)
        shaken[rows], swayed[rows] = SURROUNDINGS[name](chance[rows, 1:], time)
    return shaken, swayed


def _resting(chance: Array, time: Array) -> tuple[Any, Any]:
    return 0.0, _swaying(chance, time, 0.03, (0.3, 0.8))


def _steps(bounce: Interval, hertz: Interval, sway: float) -> _Draw:
    """A body that goes up and down twice a stride, and an arm that swings once."""

    def steps(chance: Array, time: Array) -> tuple[Any, Any]:
        import numpy as np

        rate = _between(chance[:, :1], hertz)
        phase = 2 * np.pi * (rate * time + chance[:, 1:2])
        up = _between(chance[:, 2:3], bounce) * (np.sin(phase) + 0.3 * np.sin(2 * phase))
        across = 0.3 * _between(chance[:, 2:3], bounce) * np.sin(phase / 2)
        swing = np.sin(phase / 2 + chance[:, 3:4])
        turned = sway * np.stack([0.3 * swing, swing, 0.5 * swing], axis=-1)
        return np.stack([across, 0.5 * up, up], axis=-1), turned

    return steps


def _rattling(size: Interval, hertz: Interval) -> _Draw:
    """Something that rolls: a hum, the same in one direction, and a slow sway."""

    def rattling(chance: Array, time: Array) -> tuple[Any, Any]:
        import numpy as np

        hum = np.sin(2 * np.pi * (_between(chance[:, :1], hertz) * time + chance[:, 1:2]))
        hum *= _between(chance[:, 2:3], size)
        turned = _swaying(chance[:, 3:], time, 0.05, (0.5, 1.5))
        return hum[..., None] * (chance[:, None, 3:6] - 0.5) * 2, turned

    return rattling


def _swaying(chance: Array, time: Array, size: float, hertz: Interval) -> Array:
    import numpy as np

    phase = 2 * np.pi * (_between(chance[:, :1], hertz) * time + chance[:, 1:2])
    return size * np.stack([np.sin(phase + turn) for turn in (0.0, 1.0, 2.0)], axis=-1)


# Accelerations in m/s², frequencies in Hz, swings in radians.
SURROUNDINGS: Mapping[str, _Draw] = {
    "resting": _resting,
    "walking": _steps((0.6, 1.8), (1.6, 2.1), 0.08),
    "cycling": _rattling((0.3, 1.0), (4.0, 8.0)),
    "running": _steps((1.5, 2.5), (2.5, 3.0), 0.1),
    "vehicle": _rattling((0.4, 1.2), (9.0, 18.0)),
}


def _tilted(path: Array, angle: Array) -> Array:
    import numpy as np

    cosine, sine = np.cos(angle), np.sin(angle)
    x, z = path[..., 0], path[..., 1]
    return np.stack([cosine * x - sine * z, sine * x + cosine * z], axis=-1)


def _between(chance: Array, interval: Interval) -> Array:
    low, high = interval
    return low + (high - low) * chance


def _among(chance: Array, choice: tuple[Interval, ...]) -> Array:
    """Evenly one of the intervals, then evenly within it."""
    import numpy as np

    place = chance * len(choice)
    which = np.minimum(place.astype(np.int64), len(choice) - 1)
    low, high = (np.array(ends)[which] for ends in zip(*choice, strict=True))
    return np.asarray(low + (high - low) * (place - which))


def _signed(chance: Array, choice: tuple[Interval, ...]) -> Array:
    """Degrees of `choice`, either way, in radians."""
    import numpy as np

    way = np.where(chance < 0.5, -1.0, 1.0)
    return np.asarray(np.deg2rad(way * _among(2 * chance % 1, choice)))
