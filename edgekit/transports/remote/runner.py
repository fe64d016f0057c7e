"""This side of a process on the board (`edgekit.agent.runner`): ask it, however often it takes.

Every request has a number. When the connection is lost, a new one asks with the same number: a step
that is still under way is waited for, one that is done has its answer repeated. Nothing is done
twice and nothing that was done is lost.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from edgekit.agent.runner import VERSION
from edgekit.errors import DeviceError, DeviceLostError, EdgekitError
from edgekit.fields import Fields, printable
from edgekit.job import LONGEST_RESULT
from edgekit.progress import notice
from edgekit.transports.remote.way import Channel, Link, Lost

_ENDING_S = 3.0
_LEAST_ALIVE_S, _MOST_ALIVE_S = 0.2, 20.0
_MOST_FILES = 1024
_MOST_CHATTER = 100  # lines


class _NotJson(DeviceError):
    """A line that no runner sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request brought.

    Attributes:
        answer: Of the agent; unchecked.
        files: Outputs that lie on the board; unchecked.
        busy: Who has the turn there, in words; None where the request was carried out.
    """

    answer: dict[str, Any]
    files: tuple[Any, ...] = ()
    busy: str | None = None


class RemoteRunner:
    """A process on the board that does one job or keeps one session.

    Args:
        link: The way there.
        start: The command that starts it, or connects to it where it was started already.
        attach: The command that connects to it.
    """

    def __init__(self, link: Link, start: str, attach: str) -> None:
        self._link = link
        self._start, self._attach = start, attach
        self._begun = self._started = False
        self._number = 0
        self._stack = AsyncExitStack()
        self._channel: Channel | None = None
        self._pulse: asyncio.Task[None] | None = None
        self.nodename = ""

    async def ask(self, payload: Mapping[str, Any], limit_s: float | None) -> Answer:
        """Make a request and wait for its answer, over as many connections as it takes.

        While others have the turn on the board, it is asked again for `busy_s`.

        Args:
            payload: For the agent.
            limit_s: After which the board ends the process that works on it.

        Raises:
            EdgekitError: What went wrong there, rebuilt here.
            DeviceError: The connection did not come back, the process there is gone, an answer
                is malformed, or others did not give up their turn.
        """
        options, told = self._link.options, False
        end = time.monotonic() + options.busy_s
        while True:
            answer = await self._ask(payload, limit_s)
            if answer.busy is None:
                return answer
            if time.monotonic() >= end:
                raise DeviceError(
                    f"{options.shown}: the device is busy: {answer.busy}",
                    f"waited for {options.busy_s:g} s",
                    limit=f"{options.table.strip('[]')}.busy_s in {options.where}",
                    hint="run the same command again later",
                )
            if not told:
                notice(f"{options.shown}: the device is busy: {answer.busy}; waiting for our turn")
            told = True

    async def _ask(self, payload: Mapping[str, Any], limit_s: float | None) -> Answer:
        self._number += 1
        request = {
            "number": self._number,
            "payload": dict(payload),
            "limit_s": limit_s,
            "by": socket.gethostname()[:200],
        }
        options = self._link.options
        # The board keeps the limit; this one is for a board that does not.
        most = None if limit_s is None else limit_s + 3 * options.patience_s + 60.0
        try:
            async with asyncio.timeout(most):
                return await self._persistently(json.dumps(request).encode() + b"\n")
        except TimeoutError:
            raise DeviceError(
                f"{options.shown}: no answer within {most:g} s", hint="is the board overloaded?"
            ) from None

    async def end(self) -> None:
        """End the process there; where that cannot be said, it ends by itself before long."""
        if not self._begun:
            return
        with suppress(Lost, EdgekitError, TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                self._started = True  # it is not started only to be ended
                channel = self._channel or await self._attached()
                await channel.write(b'{"end": true}\n')
                while "ended" not in await self._message(channel):
                    pass
        await self._let_go()

    async def _persistently(self, request: bytes) -> Answer:
        failing_since: float | None = None
        attempt = 0
        while True:
            try:
                channel = self._channel or await self._attached()
                failing_since = None
                await channel.write(request)
                while True:
                    message = await self._message(channel)
                    if message.get("number") == self._number:
                        return _answer(message)
            except Lost as error:
                await self._let_go()
                now = time.monotonic()
                failing_since = failing_since or now
                if now - failing_since > self._link.options.patience_s:
                    raise self._link.gave_up(error) from error
                await self._link.back()
                await asyncio.sleep(min(0.05 * 2**attempt, 4.0))
                attempt += 1

    async def _attached(self) -> Channel:
        command = self._attach if self._started else self._start
        self._begun = True
        try:
            channel = await self._stack.enter_async_context(self._link.channel(command))
            hello = await self._hello(channel)
            if "gone" in hello:
                raise DeviceLostError(
                    f"{self._link.options.shown}: the process there that did the work is gone",
                    str(printable(hello["gone"]))[:500],
                    hint="was the board restarted, or out of memory? run the same command again",
                )
            fields = Fields(hello, "runner", DeviceError)
            if fields.integer("runner", high=10**6) != VERSION:
                raise fields.fail("runner", "another version of edgekit's agent")
            self.nodename = str(printable(fields.text("nodename", longest=255)))
        except (Lost, DeviceError):
            await self._let_go()
            raise
        self._started = True
        self._channel = channel
        self._pulse = asyncio.ensure_future(self._beat(channel))
        return channel

    async def _hello(self, channel: Channel) -> dict[str, Any]:
        for _ in range(_MOST_CHATTER):  # of the shell's start-up files
            with suppress(_NotJson):
                return await self._message(channel)
        raise DeviceError(f"{self._link.options.shown}: the agent did not answer")

    async def _message(self, channel: Channel) -> dict[str, Any]:
        try:
            line = await channel.line(LONGEST_RESULT)
        except Lost as error:
            if channel.words and not self._started:
                raise DeviceError(
                    f"{self._link.options.shown}: the agent did not start",
                    *str(printable(channel.words)).splitlines()[-3:],
                ) from error
            raise
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _NotJson(f"the device's answer is not JSON: {error}") from None
        if not isinstance(message, dict):
            raise _NotJson("the device's answer is no JSON object")
        return message

    async def _beat(self, channel: Channel) -> None:
        """Say that this side is there: without a word for `keep_s` the process there ends."""
        pause = min(max(self._link.options.keep_s / 5, _LEAST_ALIVE_S), _MOST_ALIVE_S)
        with suppress(Lost):
            while True:
                await asyncio.sleep(pause)
                await channel.write(b'{"alive": true}\n')

    async def _let_go(self) -> None:
        if self._pulse is not None:
            self._pulse.cancel()
        self._channel = self._pulse = None
        with suppress(Lost, EdgekitError):
            await self._stack.aclose()


def _busy(fields: Fields) -> str:
    """Who has the turn, and for how long: by the board's clock, which may be set meanwhile."""
    by = str(printable(fields.text("by", "somebody", longest=255))) or "somebody"
    passed = fields.number("for_s", high=1e12)
    fields.done()
    told = f"{passed:.0f} s" if passed < 120 else f"{passed / 60:.0f} min"
    return f"{by} has been measuring for {told}"


def _answer(message: dict[str, Any]) -> Answer:
    fields = Fields(message, "answer", DeviceError)
    fields.integer("number", high=2**53)
    error = fields.optional_mapping("error")
    if error is not None:
        raise EdgekitError.from_json(printable(error))
    if (busy := fields.optional_mapping("busy")) is not None:
        return Answer({}, busy=_busy(Fields(busy, "busy", DeviceError)))
    answer = Answer(fields.mapping("answer"), tuple(fields.items("files", (), most=_MOST_FILES)))
    fields.done()
    return answer
