"""`edgekit update`: from one version of a bundle to the next. The work is `bundles.updating`'s."""

from __future__ import annotations

from typing import Any

from edgekit.bundles.updating.applying import Updated, apply_delta, read_index
from edgekit.bundles.updating.delta import KEPT, STEPS, WHOLE, Index
from edgekit.bundles.updating.making import Delta, make_delta

__all__ = ["Delta", "Updated", "apply_delta", "make_delta", "read_index"]


def told(index: Index) -> dict[str, Any]:
    """What a delta says of itself, without its list of files."""
    ways = [part.how for part in index.files.values()]
    return {
        "name": index.name,
        "platform": index.platform,
        "from": index.old.version,
        "to": index.new.version,
        "files": {how: ways.count(how) for how in (KEPT, STEPS, WHOLE)},
    }


def made_json(made: Delta) -> dict[str, Any]:
    """A delta that was made, as a document."""
    return {
        "file": str(made.file),
        "bytes": made.bytes,
        "whole_bytes": made.whole_bytes,
        **told(made.index),
    }


def updated_json(updated: Updated) -> dict[str, Any]:
    """A bundle that was replaced, as a document."""
    verified = updated.verified
    return {
        "folder": str(verified.folder),
        "name": verified.contents.name,
        "platform": verified.contents.platform,
        "from": updated.before,
        "to": verified.contents.version,
        "files": len(verified.contents.files),
        "signed": verified.has_signature,
        "signed_by": verified.signed.fingerprint if verified.signed else None,
        "kept": str(updated.kept) if updated.kept else None,
    }
