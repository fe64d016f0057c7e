"""What came out of a check, as data: gates with their findings, and what the command ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.checking.budget import OF_METRIC, Budget, Gate
from edgekit.checking.judging import INCONCLUSIVE, PASS, REGRESSION, Finding
from edgekit.checking.measuring import Measured
from edgekit.errors import BudgetError, EdgekitError, InconclusiveError
from edgekit.run import Contender

# What a gate is whose artifact could not be measured.
ERROR = "error"

_KEYS = ("name", "sha256", "bytes", "runtime", "delegate", "threads")


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate and what came out.

    Attributes:
        gate: The gate.
        contender: What was judged; None where it is missing or damaged.
        findings: One per limit; empty where it could not be measured.
        measured: What they rest on; None likewise.
        error: Why it could not be measured.
        seconds: What it took.
    """

    gate: Gate
    contender: Contender | None = None
    findings: tuple[Finding, ...] = ()
    measured: Measured | None = None
    error: EdgekitError | None = None
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """The worst of its limits."""
        if self.error is not None:
            return ERROR
        return _worst([finding.verdict for finding in self.findings])

    def to_json(self) -> dict[str, Any]:
        measured = self.measured
        return {
            "gate": self.gate.name,
            "verdict": self.verdict,
            **(_told(self.contender) if self.contender else _named(self.gate)),
            "device": self.gate.device,
            "baseline": _told(measured.baseline) if measured and measured.baseline else None,
            "limits": [finding.to_json() for finding in self.findings],
            "run": measured.number if measured else None,
            "source": (measured.source or None) if measured else None,
            "placement": (measured.placement or None) if measured else None,
            "environment": dict(measured.environment) if measured else {},
            "warnings": list(measured.warnings) if measured else [],
            "error": self.error.to_json() if self.error else None,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All gates of a budget.

    Attributes:
        budget: What was checked.
        gates: In its order.
    """

    budget: Budget
    gates: tuple[GateResult, ...]

    @property
    def verdict(self) -> str:
        """The worst of the gates."""
        return _worst([gate.verdict for gate in self.gates])

    @property
    def error(self) -> EdgekitError | None:
        """What failed, else which limits are broken, else which are not decided; None for pass."""
        told = {
            verdict: [
                f"{gate.gate.name}: {finding}"
                for gate in self.gates
                for finding in gate.findings
                if finding.verdict == verdict
            ]
            for verdict in (REGRESSION, INCONCLUSIVE)
        }
        failed = [(gate.gate.name, gate.error) for gate in self.gates if gate.error is not None]
        if failed:
            besides = [
                f"{len(told[verdict])} limits {word}"
                if len(told[verdict]) > 1
                else f"1 limit {word}"
                for verdict, word in ((REGRESSION, "broken"), (INCONCLUSIVE, "not decided"))
                if told[verdict]
            ]
            unmeasured = f"{len(failed)} of {len(self.gates)} gates could not be measured"
            return EdgekitError(
                ", ".join([unmeasured, *besides]),
                *(
                    f"{name}: {line}"
                    for name, error in failed
                    for line in (error.message, *error.details)
                ),
                *told[REGRESSION],
                *told[INCONCLUSIVE],
                limit=next((error.limit for _, error in failed if error.limit), None),
                hint=next((error.hint for _, error in failed if error.hint), None),
            )
        count = sum(len(gate.findings) for gate in self.gates)
        path = str(self.budget.path)
        if told[REGRESSION]:
            broken = len(told[REGRESSION])
            return BudgetError(f"{broken} of {count} limits broken", *told[REGRESSION], limit=path)
        if told[INCONCLUSIVE]:
            return InconclusiveError(
                f"inconclusive: {len(told[INCONCLUSIVE])} of {count} limits not decided",
                *told[INCONCLUSIVE],
                limit=path,
                hint=self._what_decides(),
            )
        return None

    def _what_decides(self) -> str:
        limits = {
            finding.limit
            for gate in self.gates
            for finding in gate.findings
            if finding.verdict == INCONCLUSIVE
        }
        if limits <= {*OF_METRIC}:
            return "more samples, or a wider limit"
        return "a longer --budget, a quieter machine, or a wider limit"

    def to_json(self) -> dict[str, Any]:
        error = self.error
        return {
            "budget": str(self.budget.path),
            "verdict": self.verdict,
            "exit_status": error.exit_code if error else 0,
            "gates": [gate.to_json() for gate in self.gates],
        }


def _worst(verdicts: Sequence[str]) -> str:
    for verdict in (ERROR, REGRESSION, INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return PASS


def _named(gate: Gate) -> dict[str, Any]:
    """As `_told`, of an artifact that could not be opened."""
    return {"artifact": str(gate.artifact.path), **dict.fromkeys(_KEYS)}


def _told(contender: Contender) -> dict[str, Any]:
    return {"artifact": contender.path, **{key: getattr(contender, key) for key in _KEYS}}
