"""int8 of every reference model, as edgekit makes it and as converters make it by themselves.

For each model and target, side by side in one run: the float file, edgekit's int8, the converter's
own int8 from the same calibration samples, and other ways of the field; accuracy on the test split
with paired tests, labels that agree, latency, size and the time it took to make. A model that is
done is kept in `build/benchmarks/int8/`, so that a run can be ended and gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.int8.case import CASES, Case, measure
from benchmarks.int8.verdict import verdicts
from edgekit.errors import UsageError
from edgekit.files import canonical_json, write_atomic

KEPT = Path("build") / "benchmarks" / "int8"
_QUICK = ("mobilenet/sign-digits",)


def run(
    *, quick: bool = False, only: Sequence[str] = (), brief: bool = False, fresh: bool = False
) -> dict[str, Any]:
    """All models, or some.

    Args:
        quick: One small model alone.
        only: Names as in `CASES`, or of their models.
        brief: Without what is neither edgekit's nor the converters' own.
        fresh: Measure anew what an earlier run has left.
    """
    chosen = [case for case in CASES if _wanted(case, _QUICK if quick else only)]
    if not chosen:
        raise UsageError(
            f"--only {' '.join(only)}: no such model", hint=", ".join(c.name for c in CASES)
        )
    found = {}
    for case in chosen:
        file = KEPT / f"{case.name.replace('/', '-')}.json"
        if fresh or not file.is_file():
            write_atomic(file, canonical_json(measure(case, brief=brief)))
        found[case.name] = json.loads(file.read_text(encoding="utf-8"))
    return {"benchmark": "int8", "verdicts": verdicts(found), "models": found}


def _wanted(case: Case, only: Sequence[str]) -> bool:
    return not only or any(name in (case.name, case.model) for name in only)
