"""What a way to another machine offers: commands with their pipes, and files to and fro.

An event loop in a thread of its own carries everything, so that several threads can use one link.
Whatever fails because a connection was lost raises `Lost`; `patiently` begins it again. Knows
nothing of jobs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgekit.errors import DeviceError, DeviceLostError

T = TypeVar("T")

BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
LONGEST_OUTPUT = 1024 * 1024
_COMMAND_S = 120.0
_CLOSING_S = 4.0


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


class Options(Protocol):
    """How another machine is reached, as far as it does not matter by which way."""

    @property
    def table(self) -> str:
        """Of the profile: `[ssh]`."""

    @property
    def where(self) -> str:
        """The file that says so, for complaints."""

    @property
    def shown(self) -> str:
        """The machine, as it stands in complaints."""

    @property
    def host(self) -> str:
        """The machine, as it stands in measurements."""

    @property
    def python_shown(self) -> str:
        """The interpreter there, for complaints."""

    @property
    def folder(self) -> str:
        """Of edgekit there."""

    @property
    def cache_mb(self) -> int:
        """Of pushed files that are kept there."""

    @property
    def patience_s(self) -> float:
        """To get a lost connection back."""

    @property
    def keep_s(self) -> float:
        """Without a word from here, after which a process there ends itself."""

    @property
    def busy_s(self) -> float:
        """To wait for the turn while others measure there."""

    def command(self, *arguments: str) -> str:
        """A line for the shell there that runs its Python."""


class Channel(ABC):
    """A command that runs there, with its pipes."""

    def __init__(self) -> None:
        self._incoming = b""

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send to its stdin.

        Raises:
            Lost: The connection was lost, or the command has ended.
        """

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

    @abstractmethod
    async def to_the_end(self, given: bytes, *, longest: int = LONGEST_OUTPUT) -> Done:
        """Give it its stdin and wait for what it prints, at most `longest` bytes."""

    @property
    @abstractmethod
    def words(self) -> str:
        """The last it wrote to its stderr."""

    @abstractmethod
    async def _read(self) -> bytes:
        """Some of its stdout; nothing at the end."""


class Files(Protocol):
    """Files to and fro; errors of the connection are `Lost`, others `DeviceError`."""

    async def make_folder(self, place: str) -> None:
        """Make a folder there, with those above it; one may be there."""

    async def put(self, here: Path, there: str) -> None:
        """Write a file there."""

    async def move(self, part: str, place: str) -> None:
        """Rename a file or folder there; where the place is taken, what is there stays."""

    async def get(self, there: str, here: Path, most: int) -> None:
        """Fetch a file; `DeviceError` where it has more than `most` bytes."""


class Link(ABC):
    """The way to one machine.

    Attributes:
        options: How it is reached.
    """

    options: Any  # of the way's own; what is used here is `Options`

    def __init__(self) -> None:
        self._working: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Daemons())
        self._one_at_a_time = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @abstractmethod
    def channel(self, command: str) -> AbstractAsyncContextManager[Channel]:
        """A command that runs there, with its pipes.

        Raises:
            Lost: There is no connection, or it is lost meanwhile.
            DeviceError: The machine cannot be reached, or refuses to run commands.
        """

    @abstractmethod
    def files(self) -> AbstractAsyncContextManager[Files]:
        """Files to and fro. Raises as `channel`."""

    @property
    @abstractmethod
    def is_there(self) -> bool:
        """Whether there is a connection, as far as is known."""

    @abstractmethod
    async def back(self) -> None:
        """Wait until there is a connection.

        Raises:
            DeviceError: There is none within `patience_s`.
        """

    @abstractmethod
    async def _end(self) -> None:
        """Let go of what this way holds."""

    async def run(
        self,
        command: str,
        given: bytes = b"",
        *,
        limit_s: float = _COMMAND_S,
        longest: int = LONGEST_OUTPUT,
    ) -> Done:
        """Run a command to its end. Raises as `channel`."""
        try:
            async with asyncio.timeout(limit_s), self.channel(command) as channel:
                return await channel.to_the_end(given, longest=longest)
        except TimeoutError:
            raise DeviceError(
                f"{self.options.shown}: a command took longer than {limit_s:g} s there"
            ) from None

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

    def close(self) -> None:
        """End all connections, and the thread."""
        if not self._thread.is_alive():
            return
        with suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._all_ended(), self._loop).result(3 * _CLOSING_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSING_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _all_ended(self) -> None:
        if self._working:  # what was interrupted puts things in order there
            await asyncio.wait(self._working, timeout=_CLOSING_S)
        await self._end()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

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
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
        raise AssertionError

    def gave_up(self, error: BaseException | str) -> DeviceLostError:
        """The error for a connection that does not come back."""
        reason = error.message if isinstance(error, DeviceError) else str(error)
        return DeviceLostError(
            f"{self.options.shown}: the connection was lost and did not come back "
            f"within {self.options.patience_s:g} s",
            *([reason] if reason else []),
            hint="what was finished is kept: run the same command again once the board is there",
        )


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
