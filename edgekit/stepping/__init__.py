"""Text token by token: models whose cache is an input, and models that are asked again.

Knows model files by what they answer. Judges nothing.
"""

from __future__ import annotations

from edgekit.stepping.loop import Stepper, greedy, highest, opened, sampled, written

__all__ = ["Stepper", "greedy", "highest", "opened", "sampled", "written"]
