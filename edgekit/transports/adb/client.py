"""Android's own client, `adb`, and which phones it sees.

It is called as a program and talks to the adb server of this machine, starting one where there is
none. No server is ever ended: other programs use it too.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DeviceError
from edgekit.fields import printable
from edgekit.transports.adb.options import Options

_ANSWER_S = 30.0  # a server may have to be started, and a port scanned for emulators
_CONNECT_S = 5.0
_LONGEST = 256 * 1024
_MOST_PHONES = 256
_PLACES = ("/usr/lib/android-sdk/platform-tools/adb",)
_ADDRESS = re.compile(r"[^\s/]+:\d{1,5}")

# What `adb devices` says of a phone that nothing can be asked, and what helps.
_STATES = {
    "unauthorized": (
        "it does not know this computer",
        "accept the key on the phone's screen; where it does not ask, take the cable out and in",
    ),
    "authorizing": ("it is about to ask for its owner's consent", "look at the phone's screen"),
    "offline": (
        "it does not answer adb (offline)",
        "unlock it, take the cable out and in, or: adb reconnect offline",
    ),
    "connecting": ("it is being connected", "try again in a moment"),
    "no permissions": (
        "this user may not use it (no permissions)",
        "udev rules: apt-get install android-sdk-platform-tools-common, and the group plugdev",
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client printed.

    Attributes:
        status: Its exit status.
        output: Its stdout.
        words: Its stderr, for people.
    """

    status: int
    output: bytes
    words: str


class Client:
    """The program `adb`.

    Args:
        options: Which server it asks; the phone is chosen with `choose`.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def words(self, *arguments: str, serial: str | None = None) -> list[str]:
        """A command line.

        Raises:
            DeviceError: adb is not installed.
        """
        port = self.options.port
        server = [] if port is None else ["-P", str(port)]
        phone = [] if serial is None else ["-s", serial]
        return [find_adb(), *server, *phone, *arguments]

    async def ask(
        self, *arguments: str, serial: str | None = None, limit_s: float = _ANSWER_S
    ) -> Answer:
        """Run the client to its end.

        Raises:
            DeviceError: It is not installed, does not end, or prints without end.
        """
        words = self.words(*arguments, serial=serial)
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(limit_s):
                output, told = await asyncio.gather(
                    _bounded(process.stdout), _bounded(process.stderr)
                )
                status = await process.wait()
        except TimeoutError:
            raise DeviceError(
                f"adb {arguments[0]} did not answer within {limit_s:g} s",
                hint="does the adb server hang? adb kill-server ends it",
            ) from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        return Answer(status, output, told.decode("utf-8", "replace").strip())

    async def phones(self) -> dict[str, str]:
        """Serial → state, as `adb devices` lists them.

        Raises:
            DeviceError: The server cannot be started or asked.
        """
        answer = await self.ask("devices")
        if answer.status:
            raise DeviceError(
                "adb devices failed", *_lines(answer.words), hint="adb kill-server, and again"
            )
        found: dict[str, str] = {}
        lines = answer.output.decode("utf-8", "replace").splitlines()
        for line in lines:
            serial, tab, state = line.partition("\t")
            if tab and len(found) < _MOST_PHONES:
                found[str(printable(serial.strip()))[:255]] = str(printable(state.strip()))[:255]
        return found

    async def choose(self) -> str:
        """Serial of the phone that is meant.

        Raises:
            DeviceError: None is attached, it does not let itself be asked, or there are several and
                none was named.
        """
        wanted = self.options.serial or os.environ.get("ANDROID_SERIAL") or None
        phones = await self.phones()
        if wanted is not None and wanted not in phones and _ADDRESS.fullmatch(wanted):
            await self.ask("connect", wanted, limit_s=_CONNECT_S)
            phones = await self.phones()
        if wanted is not None:
            if wanted not in phones:
                raise DeviceError(
                    f"phone {printable(wanted)} is not attached",
                    *_listed(phones),
                    hint="connect it, with USB debugging on; adb devices lists those attached",
                )
        elif not phones:
            raise DeviceError(
                "no phone is attached",
                hint="connect one, with USB debugging on in its developer options",
            )
        elif len(phones) > 1:
            raise DeviceError(
                f"{len(phones)} phones are attached, and none was named",
                *_listed(phones),
                hint=f'`serial` in [adb] of {self.options.where} names one: serial = "…"',
            )
        serial = wanted or next(iter(phones))
        refuse_state(serial, phones[serial])
        return serial

    async def state(self, serial: str) -> str | None:
        """State of a phone now; None where it is not attached. A network address is reconnected."""
        state = (await self.phones()).get(serial)
        if state != "device" and _ADDRESS.fullmatch(serial):
            if state == "offline":
                await self.ask("disconnect", serial)
            await self.ask("connect", serial, limit_s=_CONNECT_S)
            state = (await self.phones()).get(serial)
        return state


def refuse_state(serial: str, state: str) -> None:
    """Raise unless commands can be run there.

    Raises:
        DeviceError: With what helps.
    """
    if state == "device":
        return
    for start, (problem, hint) in _STATES.items():
        if state.startswith(start):
            raise DeviceError(f"phone {serial}: {problem}", hint=hint)
    raise DeviceError(
        f"phone {serial} is in the state {state!r:.80}", hint="restart it: adb reboot"
    )


def find_adb() -> str:
    """Path of the client.

    Raises:
        DeviceError: There is none.
    """
    roots = [os.environ.get(name) for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT")]
    places = [*(str(Path(root, "platform-tools", "adb")) for root in roots if root), *_PLACES]
    found = shutil.which("adb") or next(filter(None, map(shutil.which, places)), None)
    if found is None:
        raise DeviceError(
            "adb is not installed on this machine",
            hint="apt-get install adb, or the Android SDK's platform-tools, in PATH",
        )
    return found


async def _bounded(stream: asyncio.StreamReader) -> bytes:
    data = b""
    while block := await stream.read(65536):
        data += block
        if len(data) > _LONGEST:
            raise DeviceError(f"adb printed more than {_LONGEST} bytes")
    return data


def _listed(phones: dict[str, str]) -> list[str]:
    return [f"attached: {serial} ({state})" for serial, state in list(phones.items())[:16]]


def _lines(words: str) -> list[str]:
    return [str(printable(line))[:500] for line in words.splitlines()[-3:]]
