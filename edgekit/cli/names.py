"""Names that the shell completes, and what was meant by one that is unknown.

Broken shelves and stores complete to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError, UsageError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def complete_models(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Reference models that begin with `incomplete`, else paths."""
    from edgekit.models import known_models

    return _names_or_paths(known_models(), incomplete)


def complete_devices(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Device profiles that begin with `incomplete`, else paths."""
    from edgekit import shelf

    return _names_or_paths(shelf.device_files(), incomplete)


def complete_datasets(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Registered data sets that begin with `incomplete`, else paths."""
    from edgekit import registry

    return _names_or_paths(registry.parts(registry.DATASETS), incomplete)


def complete_platforms(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Platforms of bundles that begin with `incomplete`."""
    from click.shell_completion import CompletionItem

    from edgekit.bundles import platforms

    return [CompletionItem(name) for name in platforms.names() if name.startswith(incomplete)]


def completing_stored(
    kind: str,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Completes what the store has of a kind: "model", "target", "precision", "device", "run"."""

    def complete(
        _ctx: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from edgekit.verbs.history import known_names

        known: list[str] = []
        with suppress(EdgekitError):
            known = known_names(kind)
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]

    return complete


def unknown(what: str, name: str, known: Iterable[str], path: str) -> UsageError:
    """The error for a name that is not known, with those that look like it.

    Args:
        what: What it is no name of: "command".
        name: As it was typed.
        known: All there are.
        path: The command whose `--help` lists them.
    """
    from difflib import SequenceMatcher

    likeness = {one: SequenceMatcher(None, name, one).ratio() for one in known}
    best = max(likeness.values(), default=0.0)
    # One that is much less like it than the best was hardly meant.
    near = [one for one, ratio in likeness.items() if ratio >= max(0.5, best - 0.1)]
    close = sorted(near, key=lambda one: -likeness[one])[:3]
    meant = f"did you mean {' or '.join(close)}?" if close else f"{path} --help lists them"
    return UsageError(f"unknown {what} {name!r}", hint=meant)


def _names_or_paths(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    fitting = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return fitting or [CompletionItem(incomplete, type="file")]
