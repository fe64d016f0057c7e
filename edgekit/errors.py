"""Everything edgekit refuses, and how a refusal is worded.

    EdgekitError                 exit 1; one `error:` line, then indented facts
    ├── UsageError               exit 2; the command line itself is wrong
    ├── ModelError               a model that cannot be found, read, trusted or built
    ├── DataError                a data set that cannot be found, read or used
    ├── ArtifactError            an artifact that is missing, damaged or of another format
    ├── ConversionError          a converter failed, or wrote something else than promised
    │   └── GateError            the artifact was written, measured and found too poor
    ├── BudgetError              an artifact was measured and breaks a limit of a BUDGET.toml
    │   └── InconclusiveError    exit 3; what was measured does not say whether it does
    ├── DeviceError              a device that is absent, or is not what its profile says
    │   └── DeviceLostError      it was there, and did not come back
    ├── RuntimeFault             a runtime failed or crashed while running an artifact
    ├── FileError                the file system said no
    ├── StoreError               the store of measurements cannot be read or written
    └── MissingExtraError        an optional package is not installed

Knows words only. Does not print and does not exit: `edgekit.cli` does both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class EdgekitError(Exception):
    """A refusal that a person can act on.

    Args:
        message: What is wrong, and where, in one line.
        details: Facts and figures, one line each.
        limit: Whose limit was broken (`gate.max_drop in models/x/model.toml`).
        hint: What to try next.
    """

    exit_code = 1

    def __init__(
        self, message: str, *details: str, limit: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.limit = limit
        self.hint = hint

    def render(self) -> str:
        """Text for a terminal: one `error:` line and indented facts below it."""
        lines = [f"error: {' '.join(self.message.split())}"]
        lines += [f"  {detail}" for detail in self.details]
        if self.limit:
            lines.append(f"  limit: {self.limit}")
        if self.hint:
            lines.append(f"  try:   {self.hint}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The form that crosses a process or a network boundary."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "details": list(self.details),
            "limit": self.limit,
            "hint": self.hint,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> EdgekitError:
        """Rebuild an error from `to_json`; an unknown type becomes `EdgekitError`."""
        kind = _types().get(str(data.get("type")), EdgekitError)
        # Subclasses may take other arguments: rebuild the fields, not the call.
        error = EdgekitError.__new__(kind)
        EdgekitError.__init__(
            error,
            str(data.get("message", "unknown error")),
            *[str(detail) for detail in data.get("details", ())],
            limit=data.get("limit"),
            hint=data.get("hint"),
        )
        return error


class UsageError(EdgekitError):
    """The command line, not the data, is wrong."""

    exit_code = 2


class ModelError(EdgekitError):
    """A model that cannot be found, read, trusted or built."""


class DataError(EdgekitError):
    """A data set that cannot be found, read or used."""


class ArtifactError(EdgekitError):
    """An artifact that is missing, damaged or of another format."""


class ConversionError(EdgekitError):
    """A converter failed, or wrote something else than promised."""


class GateError(ConversionError):
    """The artifact was measured and misses a limit.

    Attributes:
        drop: Points of the metric it loses, where that is the limit.
    """

    drop: float | None = None


class BudgetError(EdgekitError):
    """An artifact was measured and breaks a limit of a BUDGET.toml."""


class InconclusiveError(BudgetError):
    """What was measured does not say whether a limit is kept."""

    exit_code = 3


class DeviceError(EdgekitError):
    """A device that is absent, or is not what its profile says."""


class DeviceLostError(DeviceError):
    """A device that was there, was lost, and did not come back; what was finished is kept."""


class RuntimeFault(EdgekitError):
    """A runtime failed or crashed while running an artifact."""


class FileError(EdgekitError):
    """The file system said no: full, read-only, absent."""

    @classmethod
    def from_os_error(cls, error: OSError) -> FileError:
        """Name the file and the system's reason; suggest a remedy where one is known."""
        import errno

        where = f"{error.filename}: " if error.filename else ""
        number, reason = system_reason(error)
        hints = {
            # Without a name it may be stdout, which no --out moves.
            errno.ENOSPC: "free some space"
            + (", or choose another place with --out" if where else ""),
            errno.EROFS: "choose a writable place with --out",
            errno.EACCES: "choose a writable place with --out",
            errno.EPERM: "choose a writable place with --out",
        }
        return cls(f"{where}{reason}", hint=hints.get(number))


class StoreError(EdgekitError):
    """The store of measurements cannot be opened, read or written."""


class DamagedError(StoreError):
    """A run or evaluation in the store that cannot be read back; all others can."""


# Beside TensorFlow and numpy 2 it would break both.
_ON_ITS_OWN = (
    "an environment of its own: python -m venv legacy && legacy/bin/python -m pip install "
    "tflite-runtime==2.14.0 'numpy<2'; then python = \"…/legacy/bin/python\" in the device's TOML "
    "file"
)


class MissingExtraError(EdgekitError):
    """An optional package is not installed.

    Args:
        package: The import name that was not found.
        extra: The edgekit extra that brings it.
        purpose: What needed it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        hint = _ON_ITS_OWN if extra == "legacy" else install_command(extra)
        super().__init__(f"{purpose} needs {package}, which is not installed", hint=hint)


def install_command(extra: str) -> str:
    """The pip command that adds an extra: from the checkout, where edgekit runs from one."""
    top = Path(__file__).resolve().parent.parent
    if not (top / "pyproject.toml").is_file():
        return f"pip install 'edgekit[{extra}]'"
    try:
        here = Path.cwd() == top
    except FileNotFoundError:  # the working directory was removed
        here = False
    return f"pip install -e '{'.' if here else top}[{extra}]'"


def system_reason(error: OSError) -> tuple[int, str]:
    """The system's number (0 if it gave none) and words for an error."""
    import errno

    reason = error.strerror or str(error) or type(error).__name__
    if not error.errno and " requested and " in reason:  # numpy's words for a short write
        return errno.ENOSPC, "No space left on device"
    return error.errno or 0, reason


def _types() -> dict[str, type[EdgekitError]]:
    found: dict[str, type[EdgekitError]] = {}
    todo: list[type[EdgekitError]] = [EdgekitError]
    while todo:
        kind = todo.pop()
        found[kind.__name__] = kind
        todo += kind.__subclasses__()
    return found
