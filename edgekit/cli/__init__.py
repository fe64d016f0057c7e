"""The `edgekit` command: finds the verb, runs it, and turns every failure into one `error:` line.

Owns the list of verbs and the error boundary. A verb's own file is imported when the verb is used,
so `edgekit --help` costs little more than click. Does no work itself.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import click

from edgekit import __version__
from edgekit.cli import names
from edgekit.errors import EdgekitError, FileError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Verb → the first line of its help; `edgekit.cli.<verb>` holds its command.
VERBS = {
    "train": "Train MODEL and keep its best weights.",
    "export": "Convert MODEL to artifacts, each proven against it.",
    "quantize": "Quantize FILE, a float .onnx or .tflite, and prove the result.",
    "eval": "Measure the accuracy of ARTIFACTs on a data set, on a device.",
    "profile": "Measure latency, memory and accuracy of ARTIFACTs on a device.",
    "compare": "Say whether B is faster than A, slower, or neither.",
    "generate": "Make pictures or sounds with ARTIFACTs.",
    "track": "Follow what ARTIFACTs detect through videos.",
    "parity": "Compare ARTIFACTs with reference kernels of the same file.",
    "check": "Check artifacts against the limits of BUDGET.toml.",
    "report": "Write a page of what is known of SOURCE.",
    "bundle": "Package ARTIFACTs for an app team, with what proves them.",
    "verify": "Refuse a BUNDLE in which anything was changed.",
    "update": "Bring a bundle to its next version by what changed.",
    "history": "List, show and export what was measured.",
    "roofline": "Measure this machine's limits and what share ARTIFACTs reach.",
    "explain": "Say which layer of ARTIFACT loses accuracy, and what invites it.",
    "models": "List the models that edgekit knows, or describe one.",
    "data": "List, fetch, describe, check and convert data sets.",
    "devices": "List, show, check and add device profiles.",
    "doctor": "Show what is installed, what is missing and how to add it.",
    "completion": "Print the completion script for a shell.",
}

_SIGINT_STATUS = 130  # 128 + SIGINT, as shells report it


class _Verbs(click.Group):
    """A group that knows its commands by name and loads one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"edgekit.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            raise names.unknown("command", name, VERBS, "edgekit")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=_Verbs, context_settings={"help_option_names": ["--help", "-h"]})
@click.option(
    "--debug",
    is_flag=True,
    envvar="EDGEKIT_DEBUG",
    help="Print the traceback of an error (also: EDGEKIT_DEBUG=1).",
)
@click.version_option(__version__, message="edgekit %(version)s")
def cli(debug: bool) -> None:
    """From a Keras model to artifacts on devices: proven, measured, packaged."""
    # Read back in `main`, which also reports errors from before this function runs.
    os.environ["EDGEKIT_DEBUG"] = "1" if debug else ""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; nothing is raised past this function."""
    # Whoever closed a stream (`>&-`) wants nothing of it; Python has None there then.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  open to the end
            setattr(sys, name, null)
        elif getattr(sys, name) is getattr(sys, f"__{name}__"):  # else a caller's own
            setattr(sys, name, _outliving_reader(getattr(sys, name)))
    for stream in (sys.stdout, sys.stderr):
        # A terminal gets `?` for what it lacks, not a traceback.
        with suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    status = _SIGINT_STATUS
    try:
        with _children_end_on_signals():
            answer = cli.main(args, prog_name="edgekit", standalone_mode=False)
            sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("error: interrupted", err=True)
        # click raises its own from the interrupt, which may say what is kept.
        for note in getattr(error.__cause__ or error, "__notes__", ()):
            click.echo(f"  {note}", err=True)
    except SystemExit as exit_:  # click's answer to completion requests
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException as error:
        status = _report(error)
    _drop_unwritable_output()
    return status


class _Forgiving(io.FileIO):
    """A stream whose reader may leave (`| head`): the rest is dropped, the command goes on."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def _outliving_reader(stream: TextIO) -> TextIO:
    # Without it the status would depend on whether the reader left before or after the last line.
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Forgiving(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        line_buffering=stream.isatty() or stream is sys.stderr,
    )


def _report(error: BaseException) -> int:
    """Print what went wrong as one `error:` line with its facts, and choose the exit status."""
    if os.environ.get("EDGEKIT_DEBUG"):
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    known = _as_edgekit_error(error)
    with suppress(OSError):
        click.echo(known.render(), err=True)
    return known.exit_code


def _drop_unwritable_output() -> None:
    """Give up on what stdout refused; else Python tries again at exit, and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_edgekit_error(error: BaseException) -> EdgekitError:
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "edgekit"
        return UsageError(_sentence(error.format_message()), hint=f"{path} --help")
    if isinstance(error, click.ClickException):
        return EdgekitError(_sentence(error.format_message()))
    if isinstance(error, OSError):
        return FileError.from_os_error(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        from edgekit import extras

        if package := extras.owner_of(error.name):
            return extras.missing(package)
    reason = str(error).partition("\n")[0]
    return EdgekitError(
        f"unexpected {type(error).__name__}{': ' if reason else ''}{reason}",
        hint="the same command after EDGEKIT_DEBUG=1, which prints the traceback",
    )


def _sentence(text: str) -> str:
    """Click's sentence in the form of ours: no capital, no full stop, one line."""
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


@contextmanager
def _children_end_on_signals() -> Iterator[None]:
    """While active, SIGINT and SIGTERM end edgekit's child processes and raise KeyboardInterrupt.

    Children run in sessions of their own, and threads wait for them: without this an interrupted
    export would first finish every conversion it had begun.
    """
    old = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # not the main thread: the caller keeps its handlers
            old[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # Not imported yet means that no child was started.
    if process := sys.modules.get("edgekit.process"):
        process.end_all()
    raise KeyboardInterrupt
