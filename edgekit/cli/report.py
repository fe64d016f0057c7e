"""`edgekit report`."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import output


@click.command("report")
@click.argument("source", nargs=-1, required=True)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    help="File to write; report.html by default.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "json"]),
    help="By default what the file's suffix says.",
)
@output.common_options
def command(
    *,
    source: tuple[str, ...],
    out: Path | None,
    form: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Write a page of what is known of SOURCE.

    SOURCE is a folder of artifacts like build/mobilenet, with the latencies that the store knows of
    them; a run's JSON file; a run of the store like run:12; or a query of the store like
    model=mobilenet,device=local-cpu, of which the newest run of each command and device is shown.
    """
    from edgekit.verbs.report import write_report

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        written = write_report(source, out=out, form=form, report=report)
    output.print_warnings(written.warnings)
    if as_json:
        output.print_json(written.to_json())
    else:
        click.echo(f"{written.file}  {written.bytes / 1e3:,.0f} kB")
