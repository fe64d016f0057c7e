"""SSH connections to one board, kept and got back when they are lost.

A server allows a connection about ten channels: when they are taken, there is another connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError, FileError
from edgekit.transports.remote.way import BACKOFF_S, LONGEST_OUTPUT, Channel, Done, Link, Lost
from edgekit.transports.ssh.login import library, login
from edgekit.transports.ssh.options import Options

_CHANNELS = 8  # of ten that OpenSSH allows
_LAST_WORDS = 8192


@dataclass(eq=False)
class _Wire:
    """One connection and how many channels it carries."""

    connection: Any
    channels: int = 0
    most: int = _CHANNELS


class SshLink(Link):
    """The way to one board.

    Args:
        options: How it is reached.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        self._wires: list[_Wire] = []
        self._lost_at: float | None = None
        self._was_there = False
        for chatty in ("asyncio", "asyncssh"):  # what matters is raised; a log would be printed
            logging.getLogger(chatty).addHandler(logging.NullHandler())

    @property
    def is_there(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return any(not wire.connection.is_closed() for wire in self._wires)

    async def back(self) -> None:
        """Wait until there is a connection.

        Raises:
            DeviceError: There is none within `patience_s`.
        """
        await self._wire()

    @asynccontextmanager
    async def channel(self, command: str) -> AsyncIterator[SshChannel]:
        """A command that runs there, with its pipes.

        Raises:
            Lost: There is no connection, or it is lost meanwhile.
            DeviceError: The board cannot be reached, or refuses to run commands.
        """
        async with self._opened(
            lambda connection: connection.create_process(command, encoding=None)
        ) as process:
            channel = SshChannel(process)
            try:
                yield channel
            finally:
                await channel.close()

    @asynccontextmanager
    async def files(self) -> AsyncIterator[SftpFiles]:
        """Files over SFTP. Raises as `channel`."""
        asyncssh = library()
        try:
            async with self._opened(lambda connection: connection.start_sftp_client()) as client:
                try:
                    yield SftpFiles(client)
                finally:
                    client.exit()
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise Lost(str(error)) from error
        except asyncssh.SFTPError as error:
            raise DeviceError(f"{self.options.shown}: {error.reason}") from error
        except OSError as error:  # of a file here
            raise FileError.from_os_error(error) from error

    @asynccontextmanager
    async def _opened(self, opening: Callable[[Any], Awaitable[Any]]) -> AsyncIterator[Any]:
        asyncssh = library()
        while True:
            wire = await self._wire()
            wire.channels += 1
            try:
                try:
                    opened = await opening(wire.connection)
                except asyncssh.ChannelOpenError as error:
                    self._forget_if_closed(wire)
                    if wire not in self._wires:
                        raise Lost(str(error)) from error
                    if wire.channels == 1:
                        raise DeviceError(
                            f"{self.options.shown}: the server refuses: {error.reason}"
                        ) from error
                    wire.most = wire.channels - 1  # it allows fewer than usual
                    continue
                yield opened
                return
            except (asyncssh.DisconnectError, ConnectionError, BrokenPipeError) as error:
                self._forget(wire)
                raise Lost(str(error)) from error
            finally:
                wire.channels -= 1

    async def _wire(self) -> _Wire:
        """A connection with room for a channel; a new one where there is none."""
        async with self._one_at_a_time:
            for wire in list(self._wires):
                self._forget_if_closed(wire)
            free = [wire for wire in self._wires if wire.channels < wire.most]
            if free:
                return free[0]
            delays = iter(BACKOFF_S)
            while True:
                try:
                    wire = _Wire(await login(self.options))
                    break
                except DeviceError as error:
                    if not self._was_there:
                        raise
                    now = time.monotonic()
                    self._lost_at = self._lost_at or now
                    if now - self._lost_at > self.options.patience_s:
                        self._lost_at = None  # whoever asks next may wait anew
                        raise self.gave_up(error) from error
                await asyncio.sleep(next(delays, BACKOFF_S[-1]))
            self._wires.append(wire)
            self._was_there, self._lost_at = True, None
            return wire

    def _forget_if_closed(self, wire: _Wire) -> None:
        if wire.connection.is_closed():
            self._forget(wire)

    def _forget(self, wire: _Wire) -> None:
        if wire in self._wires:
            self._wires.remove(wire)
        wire.connection.abort()

    async def _end(self) -> None:
        for wire in self._wires:
            wire.connection.close()
        for wire in self._wires:
            with suppress(Exception):
                await asyncio.wait_for(wire.connection.wait_closed(), 1.0)
        self._wires.clear()


class SshChannel(Channel):
    """A command that runs on the board.

    Args:
        process: Of asyncssh, without an encoding.
    """

    def __init__(self, process: Any) -> None:
        super().__init__()
        self._library = library()
        self._process = process
        self._words = b""
        self._listening = asyncio.ensure_future(self._listen())

    async def write(self, data: bytes) -> None:
        """Send to its stdin.

        Raises:
            Lost: The connection was lost, or the command has ended.
        """
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (OSError, self._library.Error) as error:
            raise Lost(str(error)) from error

    async def to_the_end(self, given: bytes, *, longest: int = LONGEST_OUTPUT) -> Done:
        """Give it its stdin and wait for what it prints."""
        if given:
            await self.write(given)
        self._process.stdin.write_eof()
        output = b""
        while data := await self._read():
            output += data
            if len(output) > longest:
                raise DeviceError(f"the device printed more than {longest} bytes")
        await self._process.wait_closed()
        await self._listening
        if self._process.exit_status is None and self._process.exit_signal is None:
            raise Lost("the connection ended")
        return Done(self._process.exit_status, output, self.words)

    @property
    def words(self) -> str:
        """The last it wrote to its stderr."""
        return self._words.decode("utf-8", "replace").strip()

    async def close(self) -> None:
        """End it."""
        self._listening.cancel()
        self._process.close()
        with suppress(asyncio.TimeoutError, OSError):
            await asyncio.wait_for(self._process.wait_closed(), 2.0)

    async def _read(self) -> bytes:
        try:
            data: bytes = await self._process.stdout.read(65536)
        except (OSError, self._library.Error) as error:
            raise Lost(str(error)) from error
        return data

    async def _listen(self) -> None:
        with suppress(Exception):
            while data := await self._process.stderr.read(4096):
                self._words = (self._words + data)[-_LAST_WORDS:]


class SftpFiles:
    """Files over SFTP; what asyncssh raises is explained by `SshLink.files`.

    Args:
        client: Of asyncssh.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def make_folder(self, place: str) -> None:
        """Make a folder there, with those above it; one may be there."""
        await self._client.makedirs(place, exist_ok=True)

    async def put(self, here: Path, there: str) -> None:
        """Write a file there."""
        await self._client.put(str(here), there)

    async def move(self, part: str, place: str) -> None:
        """Rename what was written; where somebody was faster, theirs stays."""
        failed: type[Exception] = library().SFTPError
        client = self._client
        try:
            await client.rename(part, place)
        except failed:
            if not await client.exists(place):
                raise
            with suppress(failed):
                await (client.rmtree if await client.isdir(part) else client.remove)(part)

    async def get(self, there: str, here: Path, most: int) -> None:
        """Fetch a file of at most `most` bytes."""

        def bounded(_source: object, _target: object, done: int, _total: int) -> None:
            if done > most:
                raise DeviceError(f"{here.name}: the device sends more than it said")

        await self._client.get(there, str(here), progress_handler=bounded)
