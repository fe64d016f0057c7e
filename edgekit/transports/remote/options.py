"""What the tables `[ssh]` and `[adb]` have in common, typed and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOptions:
    """How long is waited for another machine, and how much may lie there.

    Attributes:
        patience_s: To get a lost connection back.
        keep_s: Without a word from here, after which a process there ends itself.
        busy_s: To wait for the turn while others measure there.
        cache_mb: Of pushed files that are kept there.
        where: The file that says so, for complaints.
    """

    patience_s: float = 60.0
    keep_s: float = 300.0
    busy_s: float = 600.0
    cache_mb: int = 2000
    where: str = "the device's TOML file"


def read_common(fields: Fields, profile: DeviceProfile) -> dict[str, Any]:
    """Values of `RemoteOptions`, taken from a table. Raises as `read_options` of its owner."""
    usual = RemoteOptions()
    return {
        "patience_s": fields.number("patience_s", usual.patience_s, high=86_400.0),
        "keep_s": fields.number("keep_s", usual.keep_s, low=1.0, high=86_400.0),
        "busy_s": fields.number("busy_s", usual.busy_s, high=86_400.0),
        "cache_mb": fields.integer("cache_mb", usual.cache_mb, low=1, high=10**7),
        "where": str(profile.path or profile.name),
    }


def finish(fields: Fields, profile: DeviceProfile, options: RemoteOptions, *, whose: str) -> None:
    """Refuse keys that nobody took, and values that contradict each other.

    Args:
        fields: The table, read.
        profile: It is from.
        options: What was read.
        whose: "board" or "phone".
    """
    fields.done()
    if options.keep_s < options.patience_s:
        raise fields.fail(
            "keep_s",
            f"{options.keep_s:g} s is less than patience_s ({options.patience_s:g} s)",
            hint="a process there must wait for as long as this side tries to come back",
        )
    if profile.python is not None:
        raise DeviceError(
            f"{options.where}: python: it names an interpreter of this machine",
            hint=f'[{profile.transport}] python = "{profile.python}" names one of the {whose}',
        )


def read_path(fields: Fields, key: str, profile: DeviceProfile) -> Path | None:
    """A path of this machine; a relative one is meant from the profile's folder."""
    text = fields.optional_text(key)
    if not text:
        return None
    path = Path(text).expanduser()
    file = profile.path
    return path if path.is_absolute() or file is None else file.parent / path
