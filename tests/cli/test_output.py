from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from edgekit.cli import output
from edgekit.progress import Progress


def test_a_piped_table_is_as_wide_as_its_cells_and_never_cut(capsys):
    wide = "x" * 500
    output.print_table("title", ("name", "ms"), [(wide, 1.5), ("[bold]b", None)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "title"
    assert wide in lines[3]
    assert "[bold]b" in lines[4]
    assert lines[4].endswith("—")
    assert all(line == line.rstrip() for line in lines)


def test_numbers_stand_right_and_words_left(capsys):
    output.print_table("", ("ms", "name"), [(1.5, "a"), (100.25, "bbb")])
    assert capsys.readouterr().out.splitlines()[2:] == ["   1.5   a", "100.25   bbb"]


def test_an_empty_table_is_its_headings(capsys):
    output.print_table("", ("a", "b"), [])
    assert capsys.readouterr().out.splitlines()[0].split() == ["a", "b"]


def test_json_is_one_document_and_nan_is_refused(capsys):
    output.print_json({"a": [1, "ä"]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, "ä"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.print_json({"a": float("nan")})


def steps(report):
    for done in range(4):
        report(Progress("convert", done, 3, note=f"step {done}"))


def test_without_a_terminal_progress_is_a_line_at_the_start_and_one_at_the_end(capsys):
    with output.progress(quiet=False, as_json=False) as report:
        steps(report)
    assert capsys.readouterr() == ("", "convert  0 %  step 0\nconvert  done  step 3\n")


def test_verbose_progress_is_a_line_for_every_step(capsys):
    with output.progress(quiet=False, as_json=True, verbose=True) as report:
        steps(report)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[1].endswith("convert  33 %  step 1")


@pytest.mark.parametrize(
    "options", [{"quiet": True, "as_json": False}, {"quiet": False, "as_json": True}]
)
def test_quiet_is_silent_and_so_is_json_that_nobody_watches(capsys, options):
    with output.progress(**options) as report:
        steps(report)
    assert capsys.readouterr() == ("", "")


def test_a_step_of_unknown_length_prints_its_name(capsys):
    with output.progress(quiet=False, as_json=False) as report:
        report(Progress("trace"))
    assert capsys.readouterr().err == "trace\n"


ON_TERMINAL = """
from edgekit.cli import output
from edgekit.progress import Progress
with output.progress(quiet=False, as_json=False) as report:
    for done in range(4):
        report(Progress("convert [tflite]", done, 3))
output.print_table("", ("name", "ms"), [("y" * 200, 1.5), ("z", None)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_on_a_terminal_progress_is_a_bar_and_a_table_too_wide_for_it_is_stacked():
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    program = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL], stdout=child, stderr=child, env=environment
    )
    os.close(child)
    text = b""
    while True:
        try:
            piece = os.read(parent, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        text += piece
    os.close(parent)
    assert program.wait() == 0
    shown = text.decode()
    assert "convert [tflite]" in shown
    assert "━" in shown
    assert shown.replace("\r", "").endswith("y" * 200 + "\n  ms  1.5\nz\n  ms  —\n")


def test_the_common_options_arrive_as_as_json_quiet_and_verbose():
    @click.command()
    @output.common_options
    def command(as_json, quiet, verbose):
        click.echo(f"{as_json} {quiet} {verbose}")

    assert CliRunner().invoke(command, ["--json", "-v"]).output == "True False True\n"
    assert CliRunner().invoke(command, ["-q"]).output == "False True False\n"
