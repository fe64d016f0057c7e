"""`edgekit doctor`."""

from __future__ import annotations

import click

from edgekit.cli import output


@click.command("doctor")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything is missing or broken.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, strict: bool, as_json: bool) -> None:
    """Show what is installed, what is missing and how to add it."""
    from edgekit.verbs.doctor import diagnose

    found = diagnose()
    if as_json:
        output.print_json(found.to_json())
    else:
        folders = {
            state.what: f"{state.path} ({state.free_bytes / 1e9:.1f} GB free)"
            for state in found.folders
        }
        output.print_facts("machine", {**found.machine, **folders})
        click.echo()
        output.print_table(
            "",
            ("package", "version", "enables", "to add it"),
            [
                (
                    state.package.distribution,
                    state.version,
                    state.package.purpose,
                    state.remedy if state.version is None else "",
                )
                for state in found.packages
            ],
        )
        output.print_warnings(found.problems)
    if strict and (found.problems or found.missing):
        ctx.exit(1)
