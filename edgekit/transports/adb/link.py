"""The way to one phone: commands over `adb shell`, files over `adb push`.

Every command ends with a line on stderr that says its status. One that ends without it was cut off:
the phone is gone, or was for a moment.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from edgekit.errors import DeviceError, FileError
from edgekit.fields import printable
from edgekit.transports.adb.client import Client, refuse_state
from edgekit.transports.adb.options import Options
from edgekit.transports.remote.way import BACKOFF_S, LONGEST_OUTPUT, Channel, Done, Link, Lost

_LAST_WORDS = 8192
_MARK = "edgekit-ended-"
_ENDED = re.compile(rf"{_MARK}(\d{{1,3}})\s*$")
_PUSH_S = 3600.0


class AdbLink(Link):
    """The way to one phone. The phone is chosen when it is first needed, and stays the same.

    Args:
        options: How it is reached; `serial` is filled in.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options: Options = options
        self._client = Client(options)
        self._serial: str | None = None
        self._there = False

    async def serial(self) -> str:
        """Of the phone.

        Raises:
            DeviceError: As `Client.choose`.
        """
        async with self._one_at_a_time:
            if self._serial is None:
                self._serial = await self._client.choose()
                self.options = replace(self.options, serial=self._serial)
                self._there = True
            return self._serial

    @property
    def is_there(self) -> bool:
        """Whether the phone was there when it was last needed."""
        return self._serial is not None and self._there

    async def back(self) -> None:
        """Wait until the phone is there.

        Raises:
            DeviceError: It is not within `patience_s`.
        """
        serial = await self.serial()
        end = time.monotonic() + self.options.patience_s
        delays = iter(BACKOFF_S)
        while True:
            try:
                state = await self._client.state(serial)
                if state is None:
                    raise DeviceError("it is not attached")
                refuse_state(serial, state)
            except DeviceError as error:
                if time.monotonic() > end:
                    raise self.gave_up(error) from error
            else:
                self._there = True
                return
            self._there = False
            await asyncio.sleep(next(delays, 1.0))

    @asynccontextmanager
    async def channel(self, command: str) -> AsyncIterator[AdbChannel]:
        """A command of the phone's shell, with its pipes. Raises as `Link.channel`."""
        line = f"( {command} ); echo {_MARK}$? >&2"
        words = self._client.words("shell", "-T", line, serial=await self.serial())
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        channel = AdbChannel(process, self.options.shown)
        try:
            yield channel
        finally:
            await channel.close()

    @asynccontextmanager
    async def files(self) -> AsyncIterator[AdbFiles]:
        """Files to and fro. Raises as `Link.files`."""
        await self.serial()
        try:
            yield AdbFiles(self, self._client)
        except OSError as error:  # of a file here
            raise FileError.from_os_error(error) from error

    async def _end(self) -> None:
        """Nothing is held: the server is everybody's."""


class AdbChannel(Channel):
    """A command that runs on the phone.

    Args:
        process: `adb shell`.
        shown: The phone, for complaints.
    """

    def __init__(self, process: asyncio.subprocess.Process, shown: str) -> None:
        super().__init__()
        self._process = process
        self._shown = shown
        self._words = b""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._in, self._out, self._told = process.stdin, process.stdout, process.stderr
        self._listening = asyncio.ensure_future(self._listen())

    async def write(self, data: bytes) -> None:
        """Send to its stdin.

        Raises:
            Lost: The phone is gone, or the command has ended.
        """
        try:
            self._in.write(data)
            await self._in.drain()
        except OSError as error:
            raise Lost(str(error)) from error

    async def to_the_end(self, given: bytes, *, longest: int = LONGEST_OUTPUT) -> Done:
        """Give it its stdin and wait for what it prints, at most `longest` bytes.

        Raises:
            Lost: The phone is gone.
            DeviceError: It printed more.
        """
        with suppress(Lost):  # a command that ended without reading has its own words
            if given:
                await self.write(given)
        self._in.close()
        output = bytearray()
        while data := await self._read():
            output += data
            if len(output) > longest:
                raise DeviceError(f"{self._shown} printed more than {longest} bytes")
        return Done(await self.ended(), bytes(output), self.words)

    async def copy_to(self, path: Path, most: int) -> int:
        """Write its stdout to a file of this machine, and return the command's status.

        Raises:
            Lost: The phone is gone.
            DeviceError: It sent more than `most` bytes.
        """
        self._in.close()
        size = 0
        with path.open("wb") as stream:
            while data := await self._read():
                size += len(data)
                if size > most:
                    raise DeviceError(f"{path.name}: the device sends more than it said")
                stream.write(data)
        return await self.ended()

    async def ended(self) -> int:
        """Status of the command, which has closed its stdout.

        Raises:
            Lost: The phone is gone.
            DeviceError: Its adb is too old.
        """
        await self._listening
        await self._process.wait()
        told = self._words.decode("utf-8", "replace")
        found = _ENDED.search(told)
        if found is None:
            if "doesn't support" in told:
                raise DeviceError(
                    f"{self._shown}: its adb cannot tell a command's status",
                    hint="Android 7 or later is needed",
                )
            raise Lost(str(printable(self.words)) or "the connection ended")
        return int(found[1])

    @property
    def words(self) -> str:
        """The last it wrote to its stderr."""
        return _ENDED.sub("", self._words.decode("utf-8", "replace")).strip()

    async def close(self) -> None:
        """End it."""
        self._listening.cancel()
        self._in.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _read(self) -> bytes:
        return await self._out.read(65536)

    async def _listen(self) -> None:
        while data := await self._told.read(4096):
            self._words = (self._words + data)[-_LAST_WORDS:]


class AdbFiles:
    """Files to and from a phone.

    Args:
        link: The way there.
        client: What pushes.
    """

    def __init__(self, link: AdbLink, client: Client) -> None:
        self._link, self._client = link, client

    async def make_folder(self, place: str) -> None:
        """Make a folder there, with those above it; one may be there."""
        await self._shell(f"mkdir -p {shlex.quote(place)}")

    async def put(self, here: Path, there: str) -> None:
        """Write a file there."""
        serial = await self._link.serial()
        answer = await self._client.ask("push", str(here), there, serial=serial, limit_s=_PUSH_S)
        if answer.status:
            said = answer.words or answer.output.decode("utf-8", "replace").strip()
            told = str(printable(said.partition("\n")[0]))[:500]
            # What the phone refused is said so; all else is the way there.
            if "remote " in told or "No space" in told:
                raise self._refused(told)
            raise Lost(told)

    async def move(self, part: str, place: str) -> None:
        """Rename what was written; where somebody was faster, theirs stays."""
        one, other = shlex.quote(part), shlex.quote(place)
        await self._shell(f"if [ -e {other} ]; then rm -rf {one}; else mv {one} {other}; fi")

    async def get(self, there: str, here: Path, most: int) -> None:
        """Fetch a file of at most `most` bytes, to a place that is chosen here alone."""
        async with self._link.channel(f"cat {shlex.quote(there)}") as channel:
            status = await channel.copy_to(here, most)
            if status:
                raise self._refused(str(printable(channel.words))[-500:])

    async def _shell(self, command: str) -> None:
        done = await self._link.run(command)
        if done.status:
            raise self._refused(str(printable(done.words.replace("\n", " ")))[-500:])

    def _refused(self, told: str) -> DeviceError:
        options = self._link.options
        hint = f"`folder` in [adb] of {options.where} names another place there"
        if "No space" in told:
            hint = f"free some space there, or: {hint}"
        return DeviceError(f"{options.shown}: {told}", hint=hint)
