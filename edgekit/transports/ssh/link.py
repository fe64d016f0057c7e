"""Connections to one board, kept and got back when they are lost; commands and files go over them.

An event loop in a thread of its own carries everything, so that several threads can use one link.
A server allows a connection about ten channels: when they are taken, there is another connection.
Whatever fails because a connection was lost raises `Lost`; `patiently` begins it again. Knows
nothing of jobs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from edgekit.errors import DeviceError, DeviceLostError, FileError
from edgekit.transports.ssh.login import library, login
from edgekit.transports.ssh.options import Options

T = TypeVar("T")

_CHANNELS = 8  # of ten that OpenSSH allows
_LAST_WORDS = 8192
_LONGEST_OUTPUT = 1024 * 1024
_COMMAND_S = 120.0
_CLOSING_S = 4.0
_BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)


class Lost(Exception):
    """The connection was lost; what was asked may have been done, or not."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended.

    Attributes:
        status: As the shell says; None where a signal ended it.
        output: Its stdout.
        words: The last of its stderr.
    """

    status: int | None
    output: bytes
    words: str


@dataclass(eq=False)
class _Wire:
    """One connection and how many channels it carries."""

    connection: Any
    channels: int = 0
    most: int = _CHANNELS


class Link:
    """The way to one board.

    Args:
        options: How it is reached.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._wires: list[_Wire] = []
        self._lost_at: float | None = None
        self._was_there = False
        self._working: set[asyncio.Task[Any]] = set()
        for chatty in ("asyncio", "asyncssh"):  # what matters is raised; a log would be printed
            logging.getLogger(chatty).addHandler(logging.NullHandler())
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Daemons())
        self._one_at_a_time = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work in the loop's thread and wait for it; an interrupt cancels it there."""
        if not self._thread.is_alive():
            work.close()
            raise DeviceError(f"{self.options.shown}: this way was closed")
        future = asyncio.run_coroutine_threadsafe(self._known(work), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _known(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._working.add(task)
        try:
            return await work
        finally:
            self._working.discard(task)

    @property
    def is_there(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return any(not wire.connection.is_closed() for wire in self._wires)

    def close(self) -> None:
        """End all connections, and the thread."""
        if not self._thread.is_alive():
            return
        with suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(3 * _CLOSING_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSING_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work; where the connection is lost, get it back and begin the work again.

        Raises:
            DeviceError: The connection did not come back in time, or is lost again and again.
        """
        began = time.monotonic()
        for attempt in range(10**6):
            try:
                return await work()
            except Lost as error:
                if time.monotonic() - began > self.options.patience_s and attempt > 10:
                    raise self.gave_up(error) from error
            await self.back()
            await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)])
        raise AssertionError

    async def back(self) -> None:
        """Wait until there is a connection.

        Raises:
            DeviceError: There is none within `patience_s`.
        """
        await self._wire()

    def gave_up(self, error: BaseException | str) -> DeviceLostError:
        """The error for a connection that does not come back."""
        reason = error.message if isinstance(error, DeviceError) else str(error)
        return DeviceLostError(
            f"{self.options.shown}: the connection was lost and did not come back "
            f"within {self.options.patience_s:g} s",
            *([reason] if reason else []),
            hint="what was finished is kept: run the same command again once the board is there",
        )

    @asynccontextmanager
    async def channel(self, command: str) -> AsyncIterator[Channel]:
        """A command that runs there, with its pipes.

        Raises:
            Lost: There is no connection, or it is lost meanwhile.
            DeviceError: The board cannot be reached, or refuses to run commands.
        """
        async with self._opened(
            lambda connection: connection.create_process(command, encoding=None)
        ) as process:
            channel = Channel(process)
            try:
                yield channel
            finally:
                await channel.close()

    async def run(self, command: str, given: bytes = b"") -> Done:
        """Run a command to its end. Raises as `channel`."""
        try:
            async with asyncio.timeout(_COMMAND_S), self.channel(command) as channel:
                return await channel.to_the_end(given)
        except TimeoutError:
            raise DeviceError(
                f"{self.options.shown}: a command took longer than {_COMMAND_S:g} s there"
            ) from None

    @asynccontextmanager
    async def sftp(self) -> AsyncIterator[Any]:
        """An SFTP client. Raises as `channel`."""
        asyncssh = library()
        try:
            async with self._opened(lambda connection: connection.start_sftp_client()) as client:
                try:
                    yield client
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
            delays = iter(_BACKOFF_S)
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
                await asyncio.sleep(next(delays, _BACKOFF_S[-1]))
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
        if self._working:  # what was interrupted puts things in order there
            await asyncio.wait(self._working, timeout=_CLOSING_S)
        for wire in self._wires:
            wire.connection.close()
        for wire in self._wires:
            with suppress(Exception):
                await asyncio.wait_for(wire.connection.wait_closed(), 1.0)
        self._wires.clear()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Channel:
    """A command that runs on the board.

    Args:
        process: Of asyncssh, without an encoding.
    """

    def __init__(self, process: Any) -> None:
        self._library = library()
        self._process = process
        self._words = b""
        self._incoming = b""
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

    async def line(self, longest: int) -> bytes:
        """The next line of its stdout, without its end.

        Raises:
            Lost: The connection was lost, or the command has ended.
            DeviceError: The line is longer than `longest`.
        """
        found = self._incoming.find(b"\n")
        parts, size = [], len(self._incoming)
        while found < 0:
            parts.append(self._incoming)
            if size > longest:
                raise DeviceError(f"the device sent a line of more than {longest} bytes")
            self._incoming = await self._read()
            if not self._incoming:
                raise Lost("the connection ended")
            size += len(self._incoming)
            found = self._incoming.find(b"\n")
        parts.append(self._incoming[:found])
        self._incoming = self._incoming[found + 1 :]
        return b"".join(parts)

    async def to_the_end(self, given: bytes) -> Done:
        """Give it its stdin and wait for what it prints."""
        if given:
            await self.write(given)
        self._process.stdin.write_eof()
        output = b""
        while data := await self._read():
            output += data
            if len(output) > _LONGEST_OUTPUT:
                raise DeviceError(f"the device printed more than {_LONGEST_OUTPUT} bytes")
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


class _Daemons(concurrent.futures.ThreadPoolExecutor):
    """Threads that hold up no exit: looking up a name may take longer than anybody waits."""

    def submit(
        self, work: Callable[..., T], /, *arguments: Any, **named: Any
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()  # it ends in order, even if nobody waits

        def run() -> None:
            try:
                future.set_result(work(*arguments, **named))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future
