"""The table `[ssh]` of a device profile, typed and checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.fields import Fields
from edgekit.transports.remote.options import RemoteOptions, finish, read_common, read_path

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile


@dataclass(frozen=True, slots=True)
class Options(RemoteOptions):
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
        key=read_path(fields, "key", profile),
        known_hosts=read_path(fields, "known_hosts", profile) or usual.known_hosts.expanduser(),
        python=fields.name("python", usual.python, longest=1024),
        folder=fields.name("folder", usual.folder, longest=1024),
        connect_s=fields.number("connect_s", usual.connect_s, low=0.1, high=600.0),
        silence_s=fields.number("silence_s", usual.silence_s, low=0.5, high=600.0),
        **read_common(fields, profile),
    )
    finish(fields, profile, options, whose="board")
    return options


def _host(fields: Fields) -> str:
    host = fields.name("host")
    if host.startswith("-") or any(c.isspace() or c in "@/" for c in host):
        raise fields.fail("host", f"{host!r:.60} is no host's name", hint="user and port have keys")
    return host


def _home_word(path: str) -> str:
    """A word for the shell there; `~/` is expanded by it, everything else is taken literally."""
    if path.startswith("~/"):
        return f'"$HOME"/{shlex.quote(path[2:])}'
    return shlex.quote(path)
