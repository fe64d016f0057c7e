"""What came out of a check for GitHub Actions: annotations of the budget's lines, a job's summary.

Annotations are workflow commands: lines that a job prints. Prints nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit.checking.judging import INCONCLUSIVE, PASS, REGRESSION
from edgekit.checking.outcome import ERROR, CheckResult, GateResult
from edgekit.errors import EdgekitError
from edgekit.fields import printable

_LEVELS = {REGRESSION: "error", INCONCLUSIVE: "warning"}
_MARKS = {PASS: "✅", REGRESSION: "❌", INCONCLUSIVE: "❔", ERROR: "⚠️"}


def to_annotations(result: CheckResult, root: Path) -> list[str]:
    """One command for each limit that is broken or undecided, and for each gate that failed.

    Args:
        result: What came out.
        root: The checkout: files are named from there.
    """
    path = result.budget.path.resolve()
    file = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    found = []
    for gate in result.gates:
        if gate.error is not None:
            found.append(_command("error", file, gate, "", gate.error.message))
        for finding in gate.findings:
            if finding.verdict in _LEVELS:
                level = _LEVELS[finding.verdict]
                found.append(_command(level, file, gate, finding.limit, str(finding)))
    return found


def annotation_of_error(error: EdgekitError) -> str:
    """The command for an error that kept everything from being measured."""
    return f"::error title=edgekit check::{_data(error.message)}"


def to_summary(result: CheckResult) -> str:
    """Markdown for the page of the job: a table of all limits."""
    lines = [
        f"### edgekit check: {_cell(result.budget.path.name)}: {result.verdict}",
        "",
        "| | gate | limit | measured | wanted | by |",
        "|---|---|---|---:|---:|---|",
    ]
    for gate in result.gates:
        name = _cell(gate.gate.name)
        if gate.error is not None:
            lines.append(f"| {_MARKS[ERROR]} | {name} | | | | {_cell(gate.error.message)} |")
        lines += [
            f"| {_MARKS[one.verdict]} | {name} | {one.limit} | {one.figure()} | {one.wanted()} "
            f"| {_cell(one.basis())} |"
            for one in gate.findings
        ]
    sources = {gate.gate.name: gate.measured for gate in result.gates if gate.measured}
    told = [
        f"- {_cell(name)}: {_cell(one.source)}; {_cell(one.placement)}; "
        f"{_cell(one.environment.get('cpu_model') or 'unknown processor')}"
        for name, one in sources.items()
        if one.source
    ]
    return "\n".join([*lines, "", *told, *([""] if told else [])]) + "\n"


def is_github(environment: Mapping[str, str]) -> bool:
    """Whether GitHub Actions runs this process."""
    return environment.get("GITHUB_ACTIONS") == "true"


def _command(level: str, file: str, gate: GateResult, limit: str, message: str) -> str:
    lines = gate.gate.lines
    line = lines.get(limit) or lines.get("")
    properties = {"file": file}
    if line:
        properties["line"] = str(line)
    properties["title"] = f"edgekit check: {gate.gate.name}"
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {told}::{_data(message)}"


def _data(text: str) -> str:
    """As the runner reads messages."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As the runner reads properties."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: object) -> str:
    """Text that stays text in a table of Markdown."""
    plain = str(printable(str(text)))
    for mark in "\\`*_[]<>|#":
        plain = plain.replace(mark, f"&#{ord(mark)};")
    return plain
