"""Samples travel to a device some at a time, and an answer that came back is kept.

So it is seen how far a slow device is, and a command that was killed is gone on with. What is kept
belongs to one file, runtime, way of computing and device, and none of it is believed before the
device has answered some of it again, alike to the bit.
"""

from __future__ import annotations

from edgekit.batching.kept import KeptAnswers
from edgekit.batching.travelling import Resumed, Travelled, run_on_device

__all__ = ["KeptAnswers", "Resumed", "Travelled", "run_on_device"]
