"""Find plug-in parts by name: exporters, runtimes, transports, data sets, model and device folders.

Every part, built-in ones too, is an entry point. Listing reads names only; a part is imported when
it is selected, so a broken plug-in breaks nothing but itself. Does not know what a part is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from edgekit.errors import EdgekitError, UsageError

EXPORTERS = "edgekit.exporters"
RUNTIMES = "edgekit.runtimes"
TRANSPORTS = "edgekit.transports"
DATASETS = "edgekit.datasets"
# How alike a name must be to be meant, 0–1, and how much less than the nearest one.
_NEAR, _APART = 0.5, 0.12
SHELVES = "edgekit.shelves"  # folders of model folders and device profiles


def parts(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, unloaded. A third party's part wins over a built-in one."""
    found: dict[str, EntryPoint] = {}
    # Built-in first: later ones replace them.
    for point in sorted(
        entry_points(group=group), key=lambda p: not p.value.startswith("edgekit.")
    ):
        found[point.name] = point
    return dict(sorted(found.items()))


def load(group: str, name: str) -> Any:
    """Import and return one part.

    Raises:
        UsageError: No part of that name.
        EdgekitError: The part's module does not import; the message names the plug-in.
    """
    known = parts(group)
    point = known[resolve(name, known, what=group.rpartition(".")[2].rstrip("s"))]
    try:
        return point.load()
    except EdgekitError:
        raise
    except Exception as error:
        owner = point.dist.name if point.dist else point.value
        raise EdgekitError(
            f"{name}: the plug-in {owner} ({point.value}) does not load: "
            f"{type(error).__name__}: {error}",
            hint=f"pip install --upgrade {owner}, or uninstall it",
        ) from error


def resolve(name: str, known: Iterable[str], *, what: str) -> str:
    """The one known name meant by `name`: exact, else a unique prefix, variants of a name apart.

    Raises:
        UsageError: Nothing fits, or several do; the message says what was probably meant.
    """
    names = sorted(known)
    if name in names:
        return name
    prefixed = [candidate for candidate in names if name and candidate.startswith(name)]
    if len(meant := _without_variants(prefixed)) == 1:
        return meant[0]
    if prefixed:
        raise UsageError(f"{what} {name!r} is ambiguous: {', '.join(prefixed)}")
    close = _without_variants(_closest(name, names))[:3]
    hint = f"one of: {', '.join(names)}" if names else None
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    raise UsageError(f"unknown {what} {name!r}", hint=hint)


def _closest(name: str, names: Sequence[str]) -> list[str]:
    """Names that are about as near as the nearest, the nearest first."""
    found = get_close_matches(name, names, n=len(names) or 1, cutoff=_NEAR)
    nearness = [SequenceMatcher(None, one, name).ratio() for one in found]
    return [one for one, near in zip(found, nearness, strict=True) if near >= nearness[0] - _APART]


def _without_variants(names: Sequence[str]) -> list[str]:
    """`names` less those that are another one and a hyphen and more, as "mobilenet-v1"."""
    return [one for one in names if not any(one.startswith(f"{other}-") for other in names)]
