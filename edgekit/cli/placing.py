"""What `edgekit explain --device` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgekit.cli import output

if TYPE_CHECKING:
    from edgekit.placing.placed import Blocker
    from edgekit.verbs.placement import PlacementExplained

_COLUMNS = ("op", "left out", "runs on", "takes", "transfers", "bytes")
_BY_ITSELF = "edgekit export does it for int8, where it can; --no-fix leaves it out"


def print_placement(found: PlacementExplained, top: int) -> None:
    """Print blocking ops, transfers and what would change them.

    Args:
        found: What a device said.
        top: Transfers to list.
    """
    placed = found.placed
    runs = "would run" if found.estimate else "run" if placed.wanted == "kernels" else "runs"
    whom = "kept in integers are" if placed.wanted == "integers" else f"{placed.wanted} {runs}"
    click.secho(
        f"{found.contender.name} on {found.device}, {found.runtime}: {whom} "
        f"{placed.taken} of {placed.ops} ops"
        + (f", in {placed.pieces} pieces" if placed.pieces > 1 else ""),
        bold=True,
    )
    if not placed.blockers:
        click.echo("nothing is left to others")
    else:
        output.print_table("", _COLUMNS, [_cells(one) for one in placed.blockers])
        click.echo(f"first blocking op: {_short(str(placed.first))} ({placed.blockers[0].kind})")
    _print_transfers(found, top)
    for one in placed.blockers:
        cause = one.cause
        facts = {"why": cause.why or "the runtime does not say", "rewrite": cause.rewrite}
        if cause.fix:
            facts["fix"] = _BY_ITSELF
        output.print_facts(one.kind, {key: value for key, value in facts.items() if value})
    click.echo(f"read from: {placed.evidence}")
    if placed.elsewhere and placed.blockers:
        click.echo(
            f"{placed.elsewhere} of the {placed.ops} ops are fused or made by the runtime, under "
            "names that the file does not have"
        )


def _print_transfers(found: PlacementExplained, top: int) -> None:
    transfers = found.placed.transfers
    if not found.placed.blockers:
        return
    if transfers is None:
        click.echo("transfers: not known; the runtime's ops have other names than the file's")
        return
    total = sum(one.bytes for one in transfers)
    if not transfers:
        return
    click.echo(f"transfers in one call: {len(transfers)}, {total:,} bytes; the largest:")
    for one in sorted(transfers, key=lambda one: -one.bytes)[:top]:
        way = "to" if one.to_wanted else "from"
        click.echo(
            f"  {_short(one.tensor)}  {one.dtype}{list(one.shape)}  {one.bytes:,} bytes, {way} "
            f"{found.placed.wanted}"
        )


def _cells(one: Blocker) -> tuple[object, ...]:
    return (
        one.kind,
        len(one.ops),
        one.executor,
        one.takes or "not in the file: made by the runtime",
        one.transfers,
        f"{one.bytes:,}" if one.transfers else None,
    )


def _short(name: str) -> str:
    """Fused ops join the names of their parts."""
    first, joined, _ = name.partition(";")
    return f"{first};…" if joined else first
