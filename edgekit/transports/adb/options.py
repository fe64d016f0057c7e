"""The table `[adb]` of a device profile, typed and checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.errors import DeviceError
from edgekit.fields import Fields

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

FOLDER = "/data/local/tmp/edgekit"


@dataclass(frozen=True, slots=True)
class Options:
    """How a phone is reached.

    Attributes:
        serial: As `adb devices` lists it; None for the only one that is attached.
        port: Of the adb server on this machine; None for the usual one, or what
            ANDROID_ADB_SERVER_PORT says.
        python: Interpreter on the phone, with numpy and a runtime; it runs the agent.
        benchmark: LiteRT's benchmark_model for the phone's processor, on this machine; with it the
            phone needs no Python.
        folder: Of edgekit there; what lies in it may be removed at any time.
        cores: That single threads may be pinned to; None for the fastest ones.
        patience_s: To get a lost phone back.
        keep_s: Without a word from here, after which a process there ends itself.
        busy_s: To wait for the turn while others measure there; the agent keeps turns.
        cache_mb: Of pushed files that are kept there.
        where: The file that says so, for complaints.
    """

    serial: str | None = None
    port: int | None = None
    python: str | None = None
    benchmark: Path | None = None
    folder: str = FOLDER
    cores: tuple[int, ...] | None = None
    patience_s: float = 60.0
    keep_s: float = 300.0
    busy_s: float = 600.0
    cache_mb: int = 2000
    where: str = "the device's TOML file"

    @property
    def table(self) -> str:
        """Of the profile, for complaints."""
        return "[adb]"

    @property
    def host(self) -> str:
        """The phone, as it stands in measurements."""
        return self.serial or "phone"

    @property
    def shown(self) -> str:
        """The phone, as it stands in complaints."""
        return f"phone {self.serial}" if self.serial else "the phone"

    @property
    def python_shown(self) -> str:
        """The interpreter there, for complaints."""
        return self.python or "python3"

    def command(self, *arguments: str) -> str:
        """A line for the shell there that runs its Python."""
        # Android has no /tmp.
        scratch = shlex.quote(str(PurePosixPath(self.folder).parent))
        return f"TMPDIR={scratch} {shlex.join([self.python_shown, *arguments])}"


def read_options(profile: DeviceProfile) -> Options:
    """The options of a profile.

    Raises:
        DeviceError: A key is missing, unknown, of the wrong type or out of bounds.
    """
    fields, usual = profile.option_fields(), Options()
    cores = fields.integers("cores", (), most=256, low=0, high=1023)
    options = Options(
        serial=fields.optional_name("serial"),
        port=fields.optional_integer("port", low=1, high=65_535),
        python=fields.optional_name("python"),
        benchmark=_path(fields, "benchmark", profile.path),
        folder=_folder(fields, usual.folder),
        cores=cores or None,
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
            hint=f'[adb] python = "{profile.python}" names one of the phone',
        )
    if (options.python is None) == (options.benchmark is None):
        found = "both python and benchmark" if options.python else "neither python nor benchmark"
        raise DeviceError(
            f"{options.where}: [adb] names {found}",
            hint="python runs edgekit's agent on the phone, benchmark LiteRT's benchmark_model",
        )
    return options


def _folder(fields: Fields, usual: str) -> str:
    folder = fields.name("folder", usual, longest=1024)
    if not folder.startswith("/") or folder.strip("/") == "" or ".." in folder.split("/"):
        raise fields.fail("folder", f"{folder!r:.80} is no folder's whole path", hint=usual)
    return folder


def _path(fields: Fields, key: str, profile: Path | None) -> Path | None:
    text = fields.optional_text(key)
    if not text:
        return None
    path = Path(text).expanduser()
    # A relative path is meant from the profile's folder.
    return path if path.is_absolute() or profile is None else profile.parent / path
