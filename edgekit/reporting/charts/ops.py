"""Where the time goes: milliseconds per kind of op, of one contender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from edgekit.reporting import wording
from edgekit.reporting.charts import looks
from edgekit.reporting.drawing import COLOURS, Canvas, Chart, draw
from edgekit.reporting.facts import OpTime, Row

_ROW_PX = 34
_MOST = 8
_LONGEST_NAME = 34


@dataclass(frozen=True, slots=True)
class Kind:
    """All ops of one kind.

    Attributes:
        name: The runtime's name for it.
        ops: How many.
        ms: Milliseconds of all of them in one inference.
        share: Their part of the sum over all ops, 0–1.
    """

    name: str
    ops: int
    ms: float
    share: float


def by_kind(ops: Sequence[OpTime]) -> list[Kind]:
    """Ops by kind, the longest first; beyond the first few, one sum."""
    groups: dict[str, list[OpTime]] = {}
    for op in ops:
        groups.setdefault(op.kind, []).append(op)
    kinds = [
        Kind(name, len(found), sum(op.ms for op in found), sum(op.share for op in found))
        for name, found in groups.items()
    ]
    kinds.sort(key=lambda kind: (-kind.ms, kind.name))
    if len(kinds) <= _MOST:
        return kinds
    rest = kinds[_MOST - 1 :]
    name = wording.plural(len(rest), "other kind")
    total = Kind(name, *(sum(getattr(one, of) for one in rest) for of in ("ops", "ms", "share")))
    return [*kinds[: _MOST - 1], total]


def ops(key: str, row: Row) -> Chart | None:
    """Bars of one contender; None without the pass."""
    if row.ops is None:
        return None
    kinds = by_kind(row.ops.ops)
    words = f"Time per kind of op, {row.label}: " + ", ".join(
        _words(kind, row.ops.resolution_ms) for kind in kinds
    )
    return draw(
        key,
        (looks.NARROW, _ROW_PX * len(kinds) + 36),
        partial(_paint, row=row, kinds=kinds, resolution_ms=row.ops.resolution_ms),
        words=words,
        caption=(
            f"{row.label}: {wording.plural(len(row.ops.ops), 'op')}, time in one inference over "
            f"{wording.plural(row.ops.calls, 'profiled call')} of one process, without an "
            f"interval. {row.ops.evidence}"
        ),
    )


def _paint(canvas: Canvas, *, row: Row, kinds: Sequence[Kind], resolution_ms: float) -> None:
    axes = canvas.figure.add_subplot()
    looks.fill(axes, left=6, right=6, top=30, bottom=4)
    looks.bare_rows(axes, len(kinds))
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_visible(False)
    axes.set_xlim(0, max(kind.ms for kind in kinds) or 1.0)
    blend = axes.get_yaxis_transform()
    height = canvas.figure.bbox.height
    canvas.figure.text(
        6 / canvas.figure.bbox.width, 1 - 13 / height, wording.clipped(row.label, 40),
        weight="bold", va="center",
    )  # fmt: skip
    for number, kind in enumerate(kinds):
        axes.barh(
            [number + 0.76], [kind.ms], height=0.3, color=looks.colour(row.contender),
            gid=canvas.tip(_words(kind, resolution_ms)),
        )  # fmt: skip
        share = f", {100 * kind.share:.1f} %" if kind.ms > 0 else ""
        figure = f"{wording.op_ms(kind.ms, resolution_ms)} ms{share}"
        name = wording.clipped(kind.name, _LONGEST_NAME)
        axes.text(0, number + 0.34, name, transform=blend, ha="left", va="center")
        axes.text(
            1, number + 0.34, figure, transform=blend, ha="right", va="center",
            color=COLOURS["soft"],
        )  # fmt: skip


def _words(kind: Kind, resolution_ms: float) -> str:
    share = f"{100 * kind.share:.1f} %"
    ms = wording.op_ms(kind.ms, resolution_ms)
    return f"{kind.name} {ms} ms ({share}) in {wording.plural(kind.ops, 'op')}"
