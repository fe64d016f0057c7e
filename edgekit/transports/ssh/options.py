"""The table `[ssh]` of a device profile, typed and checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import DeviceError
from edgekit.fields import Fields

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile


@dataclass(frozen=True, slots=True)
class Options:
    """How a board is reached.

    Attributes:
        host: As `ssh` takes it: a name, an address, or an alias of ~/.ssh/config.
        port: None leaves it to ~/.ssh/config, and to 22.
        user: None leaves it to ~/.ssh/config, and to the user's own name.
        key: Private key; None for those of the agent and of ~/.ssh.
        known_hosts: File of host keys that are trusted.
        python: Interpreter there, with numpy and a runtime; `~/` is the home there.
        folder: Of edgekit there; what lies in it may be removed at any time.
        connect_s: Until a connection must be there; logging in has more time.
        silence_s: Without a sign of life, after which a connection counts as lost.
        patience_s: To get a lost connection back.
        keep_s: Without a word from here, after which a process there ends itself.
        busy_s: To wait for the turn while others measure there.
        cache_mb: Of pushed files that are kept there.
        where: The file that says so, for complaints.
    """

    host: str
    port: int | None = None
    user: str | None = None
    key: Path | None = None
    known_hosts: Path = Path("~/.ssh/known_hosts")
    python: str = "python3"
    folder: str = "~/.cache/edgekit"
    connect_s: float = 3.0
    silence_s: float = 15.0
    patience_s: float = 60.0
    keep_s: float = 300.0
    busy_s: float = 600.0
    cache_mb: int = 2000
    where: str = "the device's TOML file"

    @property
    def table(self) -> str:
        """Of the profile, for complaints."""
        return "[ssh]"

    @property
    def python_shown(self) -> str:
        """The interpreter there, for complaints."""
        return self.python

    @property
    def shown(self) -> str:
        """As it stands in complaints: `pi@raspberrypi.local:2222`."""
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host}" + (f":{self.port}" if self.port else "")

    def command(self, *arguments: str) -> str:
        """A line for the shell there that runs its Python."""
        words = [_home_word(self.python), *map(shlex.quote, arguments)]
        return " ".join(words)


def read_options(profile: DeviceProfile) -> Options:
    """The options of a profile.

    Raises:
        DeviceError: A key is missing, unknown, of the wrong type or out of bounds.
    """
    fields, usual = profile.option_fields(), Options("")
    options = Options(
        host=_host(fields),
        port=fields.optional_integer("port", low=1, high=65_535),
        user=fields.optional_name("user"),
        key=_path(fields, "key", profile.path),
        known_hosts=_path(fields, "known_hosts", profile.path) or usual.known_hosts.expanduser(),
        python=fields.name("python", usual.python, longest=1024),
        folder=fields.name("folder", usual.folder, longest=1024),
        connect_s=fields.number("connect_s", usual.connect_s, low=0.1, high=600.0),
        silence_s=fields.number("silence_s", usual.silence_s, low=0.5, high=600.0),
        patience_s=fields.number("patience_s", usual.patience_s, high=86_400.0),
        keep_s=fields.number("keep_s", usual.keep_s, low=1.0, high=86_400.0),
        busy_s=fields.number("busy_s", usual.busy_s, high=86_400.0),
        cache_mb=fields.integer("cache_mb", usual.cache_mb, low=1, high=10**7),
        where=str(profile.path or profile.name),
    )
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
            hint=f'[ssh] python = "{profile.python}" names one of the board',
        )
    return options


def _host(fields: Fields) -> str:
    host = fields.name("host")
    if host.startswith("-") or any(c.isspace() or c in "@/" for c in host):
        raise fields.fail("host", f"{host!r:.60} is no host's name", hint="user and port have keys")
    return host


def _path(fields: Fields, key: str, profile: Path | None) -> Path | None:
    text = fields.optional_text(key)
    if not text:
        return None
    path = Path(text).expanduser()
    # A relative path is meant from the profile's folder.
    return path if path.is_absolute() or profile is None else profile.parent / path


def _home_word(path: str) -> str:
    """A word for the shell there; `~/` is expanded by it, everything else is taken literally."""
    if path.startswith("~/"):
        return f'"$HOME"/{shlex.quote(path[2:])}'
    return shlex.quote(path)
