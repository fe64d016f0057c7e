"""The table `[adb]` of a device profile, typed and checked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.errors import DeviceError
from edgekit.fields import Fields
from edgekit.transports.remote.options import RemoteOptions, finish, read_common, read_path

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

FOLDER = "/data/local/tmp/edgekit"


@dataclass(frozen=True, slots=True)
class Options(RemoteOptions):
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
    """

    serial: str | None = None
    port: int | None = None
    python: str | None = None
    benchmark: Path | None = None
    folder: str = FOLDER
    cores: tuple[int, ...] | None = None

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
        benchmark=read_path(fields, "benchmark", profile),
        folder=_folder(fields, usual.folder),
        cores=cores or None,
        **read_common(fields, profile),
    )
    finish(fields, profile, options, whose="phone")
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
