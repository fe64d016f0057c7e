"""The store: every measurement is a row of one SQLite file of the user's.

Keeps runs round by round, and evaluations; finds them again and writes them as tables. Measures
nothing and draws no conclusion.
"""

from __future__ import annotations

from edgekit.store.evaluation import KeptEvaluation
from edgekit.store.keeping import Store, place_of_store
from edgekit.store.rows import DamagedRun, StoredRun

__all__ = ["DamagedRun", "KeptEvaluation", "Store", "StoredRun", "place_of_store"]
