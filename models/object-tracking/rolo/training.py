"""Mean squared error of the box, as the paper has it."""

from __future__ import annotations

from typing import Any

from edgekit.training.objectives import Objective
from edgekit.training.objectives.regression import Regression


def objective(recipe: Any, classes: int) -> Objective:
    """What edgekit asks a folder for."""
    return Regression(recipe, classes)
