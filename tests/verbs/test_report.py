from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edgekit.errors import MissingExtraError, UsageError
from edgekit.verbs.report import write_report


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, make_artifact):
    """A folder with one artifact that nothing was measured of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))
    return make_artifact("onnx")


@pytest.mark.parametrize(
    ("out", "form", "begins"),
    [
        ("a.html", None, "<!doctype html>"),
        ("a.md", None, "# tiny"),
        ("a.JSON", None, "{"),
        ("a.txt", "md", "# tiny"),
        ("deep/er/a.json", "html", "<!doctype html>"),
    ],
)
def test_the_suffix_says_the_format_unless_it_is_named(out, form, begins):
    written = write_report(["build"], out=Path(out), form=form)
    text = Path(out).read_text(encoding="utf-8")
    assert text.startswith(begins)
    assert written.bytes == len(text.encode())
    assert (written.artifacts, written.runs, written.contenders) == (1, 0, 0)


def test_without_a_file_it_is_named_after_its_format():
    assert write_report(["build"]).file == Path("report.html")
    assert write_report(["build"], form="json").file == Path("report.json")
    assert json.loads(Path("report.json").read_text())["artifacts"][0]["model"] == "tiny"


def test_an_artifact_that_was_not_measured_is_shown_with_how_to_measure_it(folder):
    write_report(["build"])
    text = Path("report.html").read_text(encoding="utf-8")
    assert "No latency: no run of these artifacts was found." in text
    assert folder.sha256 in text
    assert "<svg" not in text


def test_a_suffix_of_no_format_and_no_source_at_all_are_refused():
    with pytest.raises(UsageError, match="says no format"):
        write_report(["build"], out=Path("a.pdf"))
    with pytest.raises(UsageError, match="nothing to report on"):
        write_report([])


def test_a_report_that_fails_leaves_the_old_file(monkeypatch):
    Path("report.html").write_text("old")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="jinja2") as failed:
        write_report(["build"])
    assert "[report]" in failed.value.hint
    assert Path("report.html").read_text() == "old"
