"""Which artifacts of an export a search can save, and what came of it."""

from __future__ import annotations

import time

from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError, GateError
from edgekit.mixing.search import Search
from edgekit.mixing.workshop import Workshop
from edgekit.plan import CALIBRATED, ExportOrder, Step
from edgekit.quantization.mixed.worker import TARGETS
from edgekit.scheduling import Outcomes


def rescue(workshop: Workshop, outcomes: Outcomes, started: float) -> Outcomes:
    """Search mixed files in place of the int8 files that missed their gate.

    Args:
        workshop: The export.
        outcomes: How its tasks ended.
        started: When it began (`time.monotonic`); its budget counts from there, and artifacts share
            what is left of it.

    Returns:
        The outcomes with "publish:<label>" of what was saved, and its `Rescue` as "mixed:<label>";
        what could not be saved has an error that says what was reached.
    """
    order = workshop.order
    missed = {
        step: refusal
        for step in order.plan.wanted
        if (refusal := _refusal(step, outcomes)) is not None
    }
    if order.budget_s is None or not missed:
        return outcomes
    results, errors = dict(outcomes.results), dict(outcomes.errors)
    end = started + order.budget_s
    for number, (step, refusal) in enumerate(missed.items()):
        now = time.monotonic()
        deadline = now + (end - now) / (len(missed) - number)
        search = Search(workshop, step, outcomes.results, refusal, (now - started, deadline))
        task = f"publish:{step.label}"
        try:
            results[task], results[f"mixed:{step.label}"] = search.find()
            del errors[task]
        except EdgekitError as error:
            errors[task] = error
    return Outcomes(results, errors, outcomes.skipped)


def is_settled(artifact: Artifact, order: ExportOrder) -> bool:
    """Whether an artifact made before is what an export with this order would leave or refuse.

    It is not where layers would be searched now, or were for a stricter limit, or where its
    manifest would say something else of the gate.
    """
    gate, metric, limit = artifact.manifest.gate, artifact.manifest.metric, order.gate.max_drop
    if gate is None:
        return True
    if metric is None:
        return bool(gate["met"]) or order.allow_drop
    if artifact.manifest.kept and gate["max_drop"] < limit:
        return False
    if metric["drop"] <= limit:
        return bool(gate["met"])
    if order.allow_drop:
        return not gate["met"]
    searchable = artifact.precision in CALIBRATED and artifact.target in TARGETS
    return order.budget_s is None or not searchable


def _refusal(step: Step, outcomes: Outcomes) -> GateError | None:
    """Why the gate refused an artifact that a search could save."""
    error = outcomes.errors.get(f"publish:{step.label}")
    searchable = step.needs_calibration and step.exporter.target in TARGETS
    if not searchable or not isinstance(error, GateError) or error.drop is None:
        return None
    return error
