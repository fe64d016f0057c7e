"""Every way a command can end: status, stdout and stderr of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from edgekit import __version__
from edgekit.cli import VERBS, cli


def edgekit(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "edgekit", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **more,
    )


# A program whose one verb fails in a given way, run under edgekit's own boundary.
FAILING = """
import sys, click
from edgekit import cli, process, errors
@click.command("models")
@click.argument("how")
def command(how):
    exec(how, globals())
cli._Verbs.get_command = lambda self, ctx, name: command
sys.exit(cli.main(["models", sys.argv[1]]))
"""


def failing(how, **environment):
    return subprocess.run(
        [sys.executable, "-c", FAILING, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_lists_every_verb_with_what_it_does():
    done = edgekit("--help")
    assert done.returncode == 0
    for verb, summary in VERBS.items():
        assert verb in done.stdout
        assert summary in done.stdout


def test_the_version_is_the_packages():
    assert edgekit("--version").stdout == f"edgekit {__version__}\n"


def test_without_a_command_the_help_goes_to_stderr_and_the_status_is_two():
    done = edgekit()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: edgekit")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_begins_with_the_line_that_the_list_shows(verb):
    context = click.Context(cli, info_name="edgekit")
    command = cli.get_command(context, verb)
    assert command is not None
    assert command.name == verb
    assert command.help.splitlines()[0] == VERBS[verb]
    assert CliRunner().invoke(command, ["--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["exprot"], "unknown command 'exprot'", "did you mean export?"),
        (["zzzzz"], "unknown command 'zzzzz'", "edgekit --help lists them"),
        (["--nonsense"], "no such option '--nonsense'", "edgekit --help"),
        (["models", "--jsno"], "no such option '--jsno'", "edgekit models --help"),
        (["completion"], "missing argument", "edgekit completion --help"),
        (["completion", "csh"], "invalid value for", "edgekit completion --help"),
        (["models", "moblienet"], "unknown model 'moblienet'", "did you mean mobilenet?"),
        (["devices", "lokal-cpu"], "unknown device 'lokal-cpu'", "did you mean local-cpu?"),
    ],
)
def test_a_wrong_command_line_is_one_error_line_a_hint_and_status_two(arguments, error, hint):
    done = edgekit(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"error: {error}")
    assert hint in done.stderr
    assert sum(line.startswith("error:") for line in lines) == 1


def test_an_edgekit_error_is_rendered_with_its_own_status():
    done = failing("raise errors.ModelError('no layer', 'a fact', limit='l', hint='h')")
    assert done.returncode == 1
    assert done.stderr == "error: no layer\n  a fact\n  limit: l\n  try:   h\n"


def test_an_os_error_names_the_file():
    done = failing("open('/no/such/file')")
    assert (done.returncode, done.stderr) == (
        1,
        "error: /no/such/file: No such file or directory\n",
    )


def test_a_missing_optional_package_names_the_command_that_adds_it():
    done = failing("import sys; sys.modules['tf2onnx'] = None; import tf2onnx.convert")
    assert done.returncode == 1
    assert "error: export to ONNX needs tf2onnx, which is not installed" in done.stderr
    assert "[onnx]'" in done.stderr


def test_an_unexpected_exception_is_one_line_that_says_how_to_see_the_traceback():
    done = failing("1 / 0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: unexpected ZeroDivisionError: division by zero"
    assert "EDGEKIT_DEBUG=1" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_debug_the_traceback_comes_first_and_the_error_line_last():
    done = failing("1 / 0", EDGEKIT_DEBUG="1")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "error: unexpected ZeroDivisionError" in done.stderr


def test_a_commands_own_status_is_kept():
    assert failing("import click; click.get_current_context().exit(3)").returncode == 3


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells only")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_was_closed_beforehand_gets_nothing_and_is_no_error(closed):
    line = f"'{sys.executable}' -m edgekit models {closed}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("mobilenet" in done.stdout) == (closed == "2>&-")


def test_a_reader_that_goes_away_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-c", FAILING, "[click.echo('x' * 1000) for _ in range(1000)]"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(timeout=60) == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_an_error(unbuffered):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "edgekit", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device\n  try:   free some space\n"
    assert "Exception ignored" not in done.stderr


INTERRUPTED = """
from concurrent.futures import ThreadPoolExecutor
from edgekit.process import Child
def work():
    with Child("children:hanging") as child:
        child.call({}, on_event=lambda event: print(event["pid"], flush=True))
with ThreadPoolExecutor() as pool:
    pool.submit(work).result()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_an_interrupt_ends_the_children_even_those_that_threads_wait_for(number, tests_folder):
    with subprocess.Popen(
        [sys.executable, "-c", FAILING, INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests_folder)},
    ) as program:
        child = int(program.stdout.readline())
        program.send_signal(number)
        assert program.stderr.read().strip() == "error: interrupted"
        assert program.wait(timeout=60) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_what_an_interrupted_command_has_kept_is_told():
    done = failing("error = KeyboardInterrupt(); error.add_note('2 rounds kept'); raise error")
    assert (done.returncode, done.stderr) == (130, "\nerror: interrupted\n  2 rounds kept\n")


def test_a_terminal_that_lacks_a_character_gets_a_question_mark_not_a_traceback():
    done = failing("click.echo('5 ≥ 1')", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert (done.returncode, done.stdout) == (0, "5 ? 1\n")
