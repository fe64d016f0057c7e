"""What came out of a check as JUnit XML: one test case per limit.

A broken limit is a failure. An undecided one is skipped: it neither held nor broke. A gate that
could not be measured is an error. Reasons stand in an attribute and in the text: GitLab shows the
text, Jenkins both.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from edgekit.checking.judging import INCONCLUSIVE, REGRESSION
from edgekit.checking.outcome import CheckResult, GateResult
from edgekit.fields import printable

_TAGS = {REGRESSION: "failure", INCONCLUSIVE: "skipped"}


def to_junit(result: CheckResult) -> str:
    """The document, as text."""
    suite = ET.Element("testsuite", name=_text(result.budget.path.name))
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(result).items():
        ET.SubElement(properties, "property", name=name, value=_text(value))
    for gate in result.gates:
        _add(suite, gate, result.budget.path.stem)
    cases = suite.findall("testcase")
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
        "time": f"{sum(gate.seconds for gate in result.gates):.3f}",
    }
    suite.attrib.update({key: str(value) for key, value in counts.items()})
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(suite: ET.Element, gate: GateResult, stem: str) -> None:
    limits = list(gate.gate.limits)
    findings = {finding.limit: finding for finding in gate.findings}
    for limit in limits:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_text(f"{stem}.{gate.gate.name}"),
            name=limit,
            time=f"{gate.seconds / len(limits):.3f}",
        )
        finding = findings.get(limit)
        if gate.error is not None:
            told = ET.SubElement(
                case, "error", type=type(gate.error).__name__, message=_text(gate.error.message)
            )
            told.text = "\n".join(_text(line) for line in gate.error.render().splitlines())
        elif finding is not None and finding.verdict in _TAGS:
            told = ET.SubElement(
                case, _TAGS[finding.verdict], type=finding.verdict, message=_text(finding)
            )
            told.text = _text(f"{gate.gate.name}: {finding}")
        elif finding is not None:
            ET.SubElement(case, "system-out").text = _text(finding)


def _facts(result: CheckResult) -> dict[str, object]:
    """What the figures are of: the machine, and the digest and placement of each artifact."""
    facts: dict[str, object] = {}
    for gate in result.gates:
        name, measured = gate.gate.name, gate.measured
        if gate.contender is not None:
            facts[f"{name}.sha256"] = gate.contender.sha256
        if measured is not None and measured.environment:
            facts[f"{name}.cpu_model"] = measured.environment.get("cpu_model") or "unavailable"
            facts[f"{name}.placement"] = measured.placement
        if measured is not None and measured.source:
            facts[f"{name}.source"] = measured.source
    return {_text(name): value for name, value in facts.items()}


def _text(value: object) -> str:
    """Without what XML 1.0 has no place for: control characters and surrogates."""
    return str(printable(str(value)))
