"""Where a box will be and how sure that is: Kalman filters of boxes that move steadily.

The filter is Kalman's (1960): what is not known exactly is normal, what changes does so linearly.
Two states of a box, as two trackers describe them. All in float64 and in pixels; a time step is a
frame. Does not know which box belongs to which filter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# A box is measured by four numbers. Of the right ones, 95 % lie nearer than this squared
# Mahalanobis distance: the 0.95 quantile of χ² with four degrees of freedom.
GATE = 9.487729036781154


@dataclass(frozen=True, slots=True)
class Belief:
    """What is known of a state.

    Attributes:
        mean: float64 [D].
        covariance: float64 [D, D], symmetric, positive definite.
    """

    mean: Array
    covariance: Array


def predicted(belief: Belief, transition: Array, noise: Array) -> Belief:
    """What is known a step later: x' = F x, P' = F P Fᵀ + Q.

    Args:
        belief: Now.
        transition: F, [D, D].
        noise: Q, [D, D], covariance of what a step changes unforeseen.
    """
    covariance = transition @ belief.covariance @ transition.T + noise
    return Belief(transition @ belief.mean, (covariance + covariance.T) / 2)


def corrected(belief: Belief, seen: Array, observation: Array, noise: Array) -> Belief:
    """What is known after a measurement z = H x.

    In Joseph's form, (I − K H) P (I − K H)ᵀ + K R Kᵀ, which stays positive under rounding.

    Args:
        belief: Before.
        seen: z, [M].
        observation: H, [M, D].
        noise: R, [M, M], covariance of the measurement.
    """
    import numpy as np

    spread = observation @ belief.covariance @ observation.T + noise
    gain = np.linalg.solve(spread, observation @ belief.covariance).T
    mean = belief.mean + gain @ (seen - observation @ belief.mean)
    rest = np.eye(len(mean)) - gain @ observation
    covariance = rest @ belief.covariance @ rest.T + gain @ noise @ gain.T
    return Belief(mean, (covariance + covariance.T) / 2)


class BoxMotion(ABC):
    """A state of a box and how it changes. Boxes are left, top, right and bottom, in pixels."""

    def __init__(self, moving: int) -> None:
        import numpy as np

        self._observation = np.eye(4, 4 + moving)
        self._transition = np.eye(4 + moving)
        self._transition[:moving, 4:] = np.eye(moving)  # a step adds the speed

    @abstractmethod
    def measured(self, box: Array) -> Array:
        """A box [4] as what is measured of the state, [4]."""

    @abstractmethod
    def box(self, belief: Belief) -> Array:
        """The box [4] that is believed in."""

    @abstractmethod
    def begun(self, box: Array) -> Belief:
        """What one box [4] tells; of speeds nothing is known."""

    @abstractmethod
    def _step_noise(self, belief: Belief) -> Array:
        """Q as the diagonal, [D]."""

    @abstractmethod
    def _box_noise(self, belief: Belief) -> Array:
        """R as the diagonal, [4]."""

    def predicted(self, belief: Belief) -> Belief:
        """A frame later."""
        import numpy as np

        return predicted(belief, self._transition, np.diag(self._step_noise(belief)))

    def corrected(self, belief: Belief, box: Array) -> Belief:
        """After a box [4] was seen."""
        import numpy as np

        noise = np.diag(self._box_noise(belief))
        return corrected(belief, self.measured(box), self._observation, noise)

    def distances(self, belief: Belief, boxes: Array) -> Array:
        """Squared Mahalanobis distance of each of `boxes` [N, 4] from what is expected: [N]."""
        import numpy as np

        apart = np.array([self.measured(box) for box in boxes]).reshape(-1, 4) - belief.mean[:4]
        spread = belief.covariance[:4, :4] + np.diag(self._box_noise(belief))
        return np.asarray((apart * np.linalg.solve(spread, apart.T).T).sum(axis=1))


class AreaMotion(BoxMotion):
    """SORT's state: centre, area and aspect ratio, and the speeds of the first three.

    Bewley et al. 2016, arXiv 1602.00763; figures of uncertainty are those of its code.
    """

    _FIRST = (10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4)
    _STEP = (1.0, 1.0, 1.0, 1.0, 1e-2, 1e-2, 1e-4)
    _BOX = (1.0, 1.0, 10.0, 10.0)

    def __init__(self) -> None:
        super().__init__(moving=3)

    def measured(self, box: Array) -> Array:
        import numpy as np

        left, top, right, bottom = box
        width, height = right - left, bottom - top
        return np.array([(left + right) / 2, (top + bottom) / 2, width * height, width / height])

    def box(self, belief: Belief) -> Array:
        import numpy as np

        x, y, area, aspect = belief.mean[:4]
        width = np.sqrt(max(area * aspect, 0.0))
        height = area / width if width > 0 else 0.0
        return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])

    def begun(self, box: Array) -> Belief:
        import numpy as np

        return Belief(np.concatenate([self.measured(box), np.zeros(3)]), np.diag(self._FIRST))

    def predicted(self, belief: Belief) -> Belief:
        if belief.mean[2] + belief.mean[6] <= 0:  # an area below nothing: it shrinks no more
            mean = belief.mean.copy()
            mean[6] = 0.0
            belief = Belief(mean, belief.covariance)
        return super().predicted(belief)

    def _step_noise(self, belief: Belief) -> Array:
        import numpy as np

        return np.array(self._STEP)

    def _box_noise(self, belief: Belief) -> Array:
        import numpy as np

        return np.array(self._BOX)


class HeightMotion(BoxMotion):
    """DeepSORT's state: centre, aspect ratio and height, and the speeds of all four.

    Uncertainty goes with the height, so that it means the same near and far. Wojke et al. 2017,
    arXiv 1703.07402; figures are those of its code.
    """

    _PLACE, _SPEED = 1 / 20, 1 / 160  # standard deviations, of the height

    def __init__(self) -> None:
        super().__init__(moving=4)

    def measured(self, box: Array) -> Array:
        import numpy as np

        left, top, right, bottom = box
        width, height = right - left, bottom - top
        return np.array([(left + right) / 2, (top + bottom) / 2, width / height, height])

    def box(self, belief: Belief) -> Array:
        import numpy as np

        x, y, aspect, height = belief.mean[:4]
        width = aspect * height
        return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])

    def begun(self, box: Array) -> Belief:
        import numpy as np

        seen = self.measured(box)
        place, speed = 2 * self._PLACE * seen[3], 10 * self._SPEED * seen[3]
        deviations = np.array([place, place, 1e-2, place, speed, speed, 1e-5, speed])
        return Belief(np.concatenate([seen, np.zeros(4)]), np.diag(deviations**2))

    def _step_noise(self, belief: Belief) -> Array:
        import numpy as np

        height = max(float(belief.mean[3]), 1.0)
        place, speed = self._PLACE * height, self._SPEED * height
        return np.array([place, place, 1e-2, place, speed, speed, 1e-5, speed]) ** 2

    def _box_noise(self, belief: Belief) -> Array:
        import numpy as np

        place = self._PLACE * max(float(belief.mean[3]), 1.0)
        return np.array([place, place, 1e-1, place]) ** 2
