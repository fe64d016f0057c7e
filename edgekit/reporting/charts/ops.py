"""Where the time goes: milliseconds per kind of op, of one contender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from edgekit.reporting import wording
from edgekit.reporting.charts import looks
from edgekit.reporting.drawing import COLOURS, TEXT_PX, Canvas, Chart, draw
from edgekit.reporting.facts import OpTime, Row

_ROW_PX = 22
_MOST = 10
_NAMES_PX = 138


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
    words = f"Time per kind of op, {row.label}: " + ", ".join(_words(kind) for kind in kinds)
    return draw(
        key,
        (looks.NARROW, _ROW_PX * len(kinds) + 40),
        partial(_paint, row=row, kinds=kinds),
        words=words,
        caption=(
            f"{row.label}: {wording.plural(len(row.ops.ops), 'op')}, time in one inference over "
            f"{wording.plural(row.ops.calls, 'profiled call')} of one process, without an "
            f"interval. {row.ops.evidence}"
        ),
    )


def _paint(canvas: Canvas, *, row: Row, kinds: Sequence[Kind]) -> None:
    axes = canvas.figure.add_subplot()
    looks.fill(axes, left=_NAMES_PX, right=58, top=30, bottom=8)
    axes.set_ylim(len(kinds), 0)
    axes.set_xlim(0, max(kind.ms for kind in kinds) or 1.0)
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure = canvas.figure
    height = figure.get_size_inches()[1] * 72
    figure.text(0.005, 1 - 12 / height, wording.clipped(row.label, 40), weight="bold", va="center")
    colour = looks.colour(row.contender)
    blend = axes.get_yaxis_transform()
    width = figure.get_size_inches()[0] * 72 - _NAMES_PX - 58
    most = int((_NAMES_PX - 12) / (0.6 * TEXT_PX))
    for number, kind in enumerate(kinds):
        middle = number + 0.5
        axes.barh(
            [middle], [kind.ms], height=0.62, color=colour, gid=canvas.tip(_words(kind)), alpha=0.85
        )
        name = wording.clipped(kind.name, most)
        axes.text(-8 / width, middle, name, transform=blend, ha="right", va="center")
        axes.annotate(
            f"{kind.ms:.3g} ms", (kind.ms, middle), (5, 0), textcoords="offset pixels",
            va="center", ha="left", color=COLOURS["soft"], annotation_clip=False,
        )  # fmt: skip


def _words(kind: Kind) -> str:
    share = f"{100 * kind.share:.1f} %"
    return f"{kind.name} {kind.ms:.3g} ms ({share}) in {wording.plural(kind.ops, 'op')}"
