"""What a training minimizes, one file a task.

`base` says what an objective is; `objective_for` finds the one for a task.
"""

from edgekit.training.objectives.base import Objective, Play, as_float, objective_for

__all__ = ["Objective", "Play", "as_float", "objective_for"]
