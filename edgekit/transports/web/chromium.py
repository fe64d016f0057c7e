"""The system's Chromium, opened on one page and ended with it.

It is started by a child process of edgekit's (`edgekit.process`) and dies with that: when the page
is no longer needed, on Ctrl-C, and when edgekit itself is killed. Each has a profile folder of its
own, so that none finds another's caches. Does not know what the page does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError, EdgekitError, RuntimeFault
from edgekit.process import Child, ChildCrashed

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Nothing of its own on the network, no first-run pages, no throttling of what it thinks is hidden.
_QUIET = (
    "--disable-background-networking", "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows", "--disable-breakpad", "--disable-component-update",
    "--disable-default-apps", "--disable-extensions", "--disable-quic",
    # Memory is measured when it is asked for, not some time later.
    "--enable-blink-features=ForceEagerMeasureMemory",
    "--disable-renderer-backgrounding", "--disable-sync", "--no-default-browser-check",
    "--no-first-run", "--no-pings", "--password-store=basic",
)  # fmt: skip
_SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
_GPU = ("--enable-unsafe-webgpu", "--enable-features=Vulkan", "--ignore-gpu-blocklist")
_LONGEST_TMPDIR = 60  # of 107 bytes for "/org.chromium.Chromium.XXXXXX/SingletonSocket"
_REMOVALS = 100
_BETWEEN_REMOVALS_S = 0.02
_ENTRY = "edgekit.transports.web.chromium:handler"


def find_chromium(wanted: str | None, *, named_in: object = None) -> str:
    """The path of a Chromium.

    Args:
        wanted: A path or a name; None for the first of `NAMES` that is there.
        named_in: The file that names it, for complaints.

    Raises:
        DeviceError: There is none.
    """
    for name in (wanted,) if wanted else NAMES:
        if found := shutil.which(str(Path(name).expanduser()) if "/" in name else name):
            return found
    raise DeviceError(
        f"no browser here: {wanted or ', '.join(NAMES)}",
        limit=f"browser.executable in {named_in}" if wanted else None,
        hint="apt-get install chromium, or executable in the table [browser] of the device's file",
    )


def flags(backend: str, *, software_gpu: bool, headless: bool, folder: str) -> list[str]:
    """Chromium's command line for a page that computes with `backend`, without the page."""
    chosen = [*_QUIET, f"--user-data-dir={folder}"]
    if headless:
        chosen.append("--headless")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        chosen.append("--no-sandbox")  # Chromium refuses root otherwise
    if backend == "webgpu":
        chosen += _SOFTWARE_GPU if software_gpu else _GPU
    else:
        chosen.append("--disable-gpu")
    return chosen


class Chromium:
    """A running Chromium that shows one page.

    Args:
        executable: Its path.
        arguments: Its flags and the page; "{folder}" in them becomes a fresh folder.
        ended: Told why, if it ends before `close`.
    """

    def __init__(
        self, executable: str, arguments: list[str], ended: Callable[[EdgekitError], None]
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgekit-chromium-"))
        self._closing = False
        self._ended = ended
        try:
            # What it keeps besides its profile goes there, too, as nobody asks it to tidy up; it
            # aborts where the path of its socket there gets too long.
            short = len(str(self._folder)) < _LONGEST_TMPDIR
            self._child = Child(_ENTRY, environment={"TMPDIR": str(self._folder)} if short else {})
        except BaseException:
            _remove(self._folder)
            raise
        command = [part.replace("{folder}", str(self._folder)) for part in (executable, *arguments)]
        self._watch = threading.Thread(target=self._wait, args=(command,), daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """Of the child that started it: its process group is Chromium's."""
        return self._child.pid

    def close(self) -> None:
        """End it at once: a profile folder that is thrown away needs no order."""
        self._closing = True
        try:
            self._child.kill()
            self._watch.join()
            self._child.close()
        finally:  # an interrupt may come in the middle
            _remove(self._folder)

    def _wait(self, command: list[str]) -> None:
        try:
            code = self._child.call({"command": command})["code"]
            how = f"ended by signal {-code}" if code < 0 else f"ended with status {code}"
            error = RuntimeFault(f"the browser {how}", *_told(self._child.log_tail(40)))
        except EdgekitError as crashed:
            told = [] if self._closing else self._child.log_tail(40)
            what = "was ended" if isinstance(crashed, ChildCrashed) else "does not start"
            error = RuntimeFault(f"the browser {what}: {crashed.message}", *_told(told))
        if not self._closing:
            self._ended(error)


def handler() -> Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]:
    """For `edgekit.process`: runs a command until it ends, and says with which status.

    The command dies with this process, which dies with edgekit.
    """

    def handle(payload: dict[str, Any], _emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        parent = os.getpid()
        leash = (lambda: _die_with(parent)) if sys.platform == "linux" else None
        started = subprocess.Popen(
            payload["command"],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            preexec_fn=leash,  # noqa: PLW1509  this process has one thread
        )
        return {"code": started.wait()}

    return handle


def _remove(folder: Path) -> None:
    """Remove a folder in which processes that were killed may write for a moment."""
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_BETWEEN_REMOVALS_S)


def _die_with(parent: int) -> None:
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _told(lines: list[str]) -> list[str]:
    """What Chromium last wrote, without its complaints about a machine without a desktop."""
    return [line[:300] for line in lines if "dbus" not in line.lower()][-3:]
