"""What came out, as exit statuses and for machines: JUnit XML, GitHub's annotations and summary."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.checking.budget import Budget, Gate
from edgekit.checking.github import annotation_of_error, to_annotations, to_summary
from edgekit.checking.judging import INCONCLUSIVE, PASS, REGRESSION, Finding
from edgekit.checking.junit import to_junit
from edgekit.checking.outcome import CheckResult, GateResult
from edgekit.errors import EdgekitError, RuntimeFault, UsageError
from edgekit.measuring.contenders import Asked
from edgekit.run import Contender

# What Jenkins' schema of JUnit reports (xunit-plugin, junit-10) allows of what is written here.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"skipped", "error", "failure", "system-out"},
    "skipped": set(), "error": set(), "failure": set(), "system-out": set(),
}  # fmt: skip
ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "skipped": {"type", "message"}, "error": {"type", "message"}, "failure": {"type", "message"},
    "system-out": set(),
}  # fmt: skip
CONTENDER = Contender(
    name="m onnx-fp32", model="m", target="onnx", precision="fp32", sha256="0" * 64, bytes=10**6,
    path="build/m", runtime="onnxruntime", delegate=None, threads=1,
)  # fmt: skip


def finding(verdict, note=""):
    return Finding("max_mb", 1.0, "MB", verdict, 1.5, note=note)


def result(*verdicts, name="gate", note="", error=None, path="budget.toml"):
    gates = []
    for at, verdict in enumerate(verdicts):
        gate = Gate(
            f"{name}{at}", Asked(Path("m")), {"max_mb": 1.0}, lines={"": 3, "max_mb": at + 4}
        )
        if verdict == "error":
            gates.append(GateResult(gate, CONTENDER, error=error or RuntimeFault("it crashed")))
        else:
            gates.append(GateResult(gate, CONTENDER, (finding(verdict, note),), seconds=1.5))
    return CheckResult(Budget(Path(path), tuple(one.gate for one in gates)), tuple(gates))


@pytest.mark.parametrize(
    ("verdicts", "status", "worst"),
    [
        ((PASS, PASS), 0, PASS),
        ((PASS, REGRESSION, INCONCLUSIVE), 1, REGRESSION),
        ((PASS, INCONCLUSIVE), 3, INCONCLUSIVE),
        ((INCONCLUSIVE, "error"), 1, "error"),
        ((REGRESSION, "error", "error"), 1, "error"),
    ],
)
def test_the_worst_gate_decides_the_exit_status(verdicts, status, worst):
    found = result(*verdicts)
    error = found.error
    assert (error.exit_code if error else 0, found.verdict) == (status, worst)
    assert found.to_json()["exit_status"] == status


def test_a_gate_that_fails_is_status_1_whatever_its_error_and_hides_no_regression():
    error = result(REGRESSION, "error", error=UsageError("wrong", hint="right")).error
    assert (error.exit_code, error.hint) == (1, "right")
    assert error.message == "1 of 2 gates could not be measured, 1 limit broken"
    assert error.details[0] == "gate1: wrong"
    assert error.details[1].startswith("gate0: max_mb 1.500 MB")


def test_the_error_names_every_limit_that_is_broken_with_its_figure():
    error = result(REGRESSION, PASS, REGRESSION).error
    assert error.message == "2 of 3 limits broken"
    assert error.details[1] == "gate2: max_mb 1.500 MB, wanted at most 1 MB: regression"


def valid(element):
    assert {child.tag for child in element} <= CHILDREN[element.tag]
    assert {*element.attrib} <= ATTRIBUTES[element.tag]
    for child in element:
        valid(child)


def test_junit_counts_failures_errors_and_skips():
    root = ET.fromstring(to_junit(result(PASS, REGRESSION, INCONCLUSIVE, "error")))
    valid(root)
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    assert re.fullmatch(r"\d+\.\d{3}", suite.get("time"))
    failure = suite.find("testcase/failure")
    assert failure.get("message") == "max_mb 1.500 MB, wanted at most 1 MB: regression"
    assert failure.text.startswith("gate1: max_mb")
    assert suite.find("testcase/error").get("type") == "RuntimeFault"


@given(st.text(max_size=40))
def test_junit_holds_any_text_as_text(text):
    found = result(REGRESSION, "error", note=text, error=EdgekitError(text or "x"))
    root = ET.fromstring(to_junit(found))
    valid(root)
    assert len(root.findall("testsuite/testcase")) == 2


def test_annotations_point_at_the_limits_line_of_the_file_in_the_checkout(tmp_path):
    found = result(PASS, REGRESSION, INCONCLUSIVE, "error", path=str(tmp_path / "ci" / "b.toml"))
    title, figure = "title=edgekit check%3A", "max_mb 1.500 MB, wanted at most 1 MB"
    assert to_annotations(found, tmp_path) == [
        f"::error file=ci/b.toml,line=5,{title} gate1::{figure}: regression",
        f"::warning file=ci/b.toml,line=6,{title} gate2::{figure}: inconclusive",
        f"::error file=ci/b.toml,line=3,{title} gate3::it crashed",
    ]


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_annotation_is_one_line_with_nothing_to_break_out_of(name, note):
    (line,) = to_annotations(result(REGRESSION, name=name, note=note), Path("/nowhere"))
    assert not {"\n", "\r"} & {*line}
    properties, _, _ = line.removeprefix("::error ").partition("::")
    assert [part.partition("=")[0] for part in properties.split(",")] == ["file", "line", "title"]
    message = line.removeprefix(f"::error {properties}::")
    plain = message.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert plain == str(finding(REGRESSION, note))


def test_an_error_before_the_first_gate_is_annotated_too():
    told = annotation_of_error(EdgekitError("100 % wrong\n::error::more"))
    assert told == "::error title=edgekit check::100 %25 wrong%0A::error::more"


@given(st.text(max_size=40))
def test_the_summary_stays_a_table_whatever_a_name_holds(name):
    lines = to_summary(result(REGRESSION, "error", name=name)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert {line.count("|") for line in rows} == {7}
    assert not any("<" in line for line in rows)
