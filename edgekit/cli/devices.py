"""`edgekit devices`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import names, output
from edgekit.cli.groups import DeviceGroup
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.verbs.listing import DeviceEntry


@click.group("devices", cls=DeviceGroup)
def command() -> None:
    """List, show, check and add device profiles.

    Without a command, the profiles are listed, and whether each device can be reached; with a
    device's name or the path of a profile, what it answered is printed in full.
    """


@command.command("list")
@output.common_options
def list_command(*, as_json: bool, quiet: bool, verbose: bool) -> None:
    """List the device profiles, and whether each can be reached."""
    from edgekit.verbs import listing

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = listing.list_devices(report=report)
    if as_json:
        output.print_json(found.to_json())
    else:
        here = [entry for entry in found.devices if entry.problem is None]
        away = [entry for entry in found.devices if entry.problem is not None]
        if here:
            columns = ("reachable now", "transport", "threads", "runtimes", "summary")
            output.print_table("", columns, [_row(entry) for entry in here])
        if away:
            if here:
                click.echo()
            headings = ("not reachable", "transport", "why", "what is missing")
            output.print_table("", headings, [_absence(entry) for entry in away])
        output.print_warnings(found.broken)


@command.command("show")
@click.argument("device", shell_complete=names.complete_devices)
@output.common_options
def show_command(device: str, *, as_json: bool, quiet: bool, verbose: bool) -> None:  # noqa: ARG001
    """Print what DEVICE answered; DEVICE is a name, or the path of a profile."""
    from edgekit.verbs import listing

    entry = listing.describe_device(device)
    if as_json:
        output.print_json(entry.to_json())
    else:
        output.print_facts(entry.profile.name, _facts(entry))


@command.command("check")
@click.argument("device", shell_complete=names.complete_devices)
@output.common_options
def check_command(device: str, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Prove DEVICE with a known model: it answers, computes what it should, and its clock is true.

    The exit status is 1 where anything failed.
    """
    from edgekit.verbs.proving import check_device

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = check_device(device, report=report)
    if as_json:
        output.print_json(found.to_json())
    else:
        rows = [(one.what, one.verdict, one.found, f"{one.seconds:.1f}") for one in found.steps]
        output.print_table(found.device, ("check", "", "found", "s"), rows)
    if (error := found.error) is not None:
        raise error


@command.command("add")
@click.argument("name")
@click.option("--ssh", metavar="USER@HOST[:PORT]", help="A board that is reached over SSH.")
@click.option("--adb", metavar="SERIAL", help="An Android phone, as `adb devices` lists it.")
@click.option("--transport", help="Any other way to it, by name.")
@click.option(
    "--set",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An entry of the transport's own table; repeatable.",
)
@click.option("--summary", help="One line for listings; by default what the device says.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file; by default on your own shelf, where --device finds it by name.",
)
@output.common_options
def add_command(
    *,
    name: str,
    ssh: str | None,
    adb: str | None,
    transport: str | None,
    options: tuple[str, ...],
    summary: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Ask a device what it is, and write its profile NAME.toml.

    Like `edgekit devices add kitchen --ssh pi@raspberrypi.local`; `edgekit profile … --device
    kitchen` then measures there, and refuses another machine under that name.
    """
    from edgekit.verbs.devices import adb_options, add_device, parse_option, ssh_options

    ways = {"--ssh": ssh, "--adb": adb, "--transport": transport}
    named = [way for way, value in ways.items() if value is not None]
    if len(named) != 1:
        told = " and ".join(named) if named else "no way to the device was named"
        raise UsageError(told, hint=f"edgekit devices add {name} --ssh pi@raspberrypi.local")
    table: dict[str, Any] = dict(map(parse_option, options))
    if ssh is not None:
        table = ssh_options(ssh) | table
    elif adb is not None:
        table = adb_options(adb, table)
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        added = add_device(
            name, transport=transport or named[0].removeprefix("--"), options=table,
            summary=summary, out=out, report=report,
        )  # fmt: skip
    if as_json:
        output.print_json(added.to_json())
    else:
        click.echo(f"{added.file}: {added.profile.summary}")


def _row(entry: DeviceEntry) -> tuple[str | int | None, ...]:
    profile = entry.profile
    return (
        profile.name,
        profile.transport,
        profile.threads,
        _runtimes(entry) or None,
        profile.summary,
    )


def _absence(entry: DeviceEntry) -> tuple[str | None, ...]:
    assert entry.problem is not None
    profile = entry.profile
    return (profile.name, profile.transport, entry.problem.message, entry.problem.hint)


def _runtimes(entry: DeviceEntry) -> str:
    return ", ".join(f"{name} {version}" for name, version in entry.runtimes.items())


def _facts(entry: DeviceEntry) -> dict[str, str]:
    profile = entry.profile
    facts = {
        "summary": profile.summary,
        "file": str(profile.path),
        "transport": profile.transport,
        "reachable": "yes" if entry.problem is None else f"no: {entry.problem}",
        "besides": "; ".join(entry.problem.details) if entry.problem else "",
        "what is missing": (entry.problem.hint or "") if entry.problem else "",
        "runtimes": _runtimes(entry),
    }
    for key, value in (entry.environment or {}).items():
        if key != "runtimes":
            facts[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return {label: fact for label, fact in facts.items() if fact not in ("", "None")}
