"""`python -m benchmarks NAME [--json]`: run one benchmark and print its figures."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import click

from edgekit.cli import output
from edgekit.errors import EdgekitError

NAMES = (
    "startup",
    "export",
    "loop",
    "compare",
    "store",
    "feed",
    "int8",
    "qat",
    "swish",
    "transports",
    "canon",
    "features",
    "pictures",
    "pretrain",
    "following",
)


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quick", is_flag=True, help="The smallest part that says something.")
@click.option("--only", multiple=True, metavar="NAME", help="A part by name; repeatable.")
@click.option("--brief", is_flag=True, help="Without the longest-running sides.")
@click.option("--fresh", is_flag=True, help="Measure anew what an earlier run has left.")
def main(name: str, as_json: bool, **options: Any) -> None:
    """Run the benchmark NAME; both sides of every ratio alternate within one run."""
    run = import_module(f"benchmarks.{name}").run
    taken = inspect.signature(run).parameters
    given = {key: value for key, value in options.items() if value}
    if unknown := sorted(set(given) - set(taken)):
        raise click.UsageError(f"the benchmark {name} has no --{unknown[0]}")
    try:
        figures: dict[str, Any] = run(**given)
    except EdgekitError as error:
        click.echo(error.render(), err=True)
        raise SystemExit(error.exit_code) from error
    if as_json:
        output.print_json(figures)
    else:
        rows = [(key, _cell(value)) for key, value in flat(figures).items()]
        output.print_table(f"benchmark {name}", ("figure", "value"), rows)


def flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested figures as one level, keys joined by dots; raw samples are left to `--json`."""
    found: dict[str, Any] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        elif not (isinstance(value, list) and len(value) > 8):
            found[prefix + key] = value
    return found


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " … ".join(_cell(item) for item in value)
    return str(value)


if __name__ == "__main__":
    main()
