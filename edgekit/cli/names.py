"""Names that the shell completes: models and devices. Broken shelves complete to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

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


def _names_or_paths(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    fitting = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return fitting or [CompletionItem(incomplete, type="file")]
