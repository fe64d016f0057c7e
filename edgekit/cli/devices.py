"""`edgekit devices`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgekit.cli import names, output

if TYPE_CHECKING:
    from edgekit.verbs.listing import DeviceEntry


@click.command("devices")
@click.argument("device", required=False, shell_complete=names.complete_devices)
@output.common_options
def command(device: str | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """List the device profiles, and whether each can be reached.

    DEVICE is a name, or the path of a profile; then what it answered is printed in full.
    """
    from edgekit.verbs import listing

    if device is not None:
        entry = listing.describe_device(device)
        if as_json:
            output.print_json(entry.to_json())
        else:
            output.print_facts(entry.profile.name, _facts(entry))
        return
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = listing.list_devices(report=report)
    if as_json:
        output.print_json(found.to_json())
    else:
        columns = ("device", "transport", "threads", "reachable", "runtimes", "summary")
        output.print_table("", columns, [_row(entry) for entry in found.devices])
        output.print_warnings(found.broken)


def _row(entry: DeviceEntry) -> tuple[str | int | None, ...]:
    profile = entry.profile
    return (
        profile.name,
        profile.transport,
        profile.threads,
        "yes" if entry.problem is None else f"no: {entry.problem}",
        _runtimes(entry) or None,
        profile.summary,
    )


def _runtimes(entry: DeviceEntry) -> str:
    return ", ".join(f"{name} {version}" for name, version in entry.runtimes.items())


def _facts(entry: DeviceEntry) -> dict[str, str]:
    profile = entry.profile
    facts = {
        "summary": profile.summary,
        "file": str(profile.path),
        "transport": profile.transport,
        "reachable": "yes" if entry.problem is None else f"no: {entry.problem}",
        "runtimes": _runtimes(entry),
    }
    for key, value in (entry.environment or {}).items():
        if key != "runtimes":
            facts[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return {label: fact for label, fact in facts.items() if fact not in ("", "None")}
