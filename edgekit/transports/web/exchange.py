"""One page and what is asked of it: one step at a time, each answered once.

Steps are numbered. A page that lost its connection asks for the step it was at, or sends its answer
again: the second copy is thanked for and dropped, so nothing counts twice. The first browser that
knows the token owns the page; another one is refused. Knows no HTTP and no steps.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError, EdgekitError, RuntimeFault
from edgekit.transports.web.framing import LONGEST_HEADER, unpack

_LOOK_AGAIN_S = 0.5


class PageLost(RuntimeFault):
    """The page that had loaded a model is gone, or was loaded anew."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is asked.

    Attributes:
        number: Of the step; counts up.
        step: As JSON.
        body: Raw bytes that belong to it.
    """

    number: int
    step: Mapping[str, Any]
    body: bytes


class Exchange:
    """The two sides of a page meet here: whoever asks, and the server's threads.

    Args:
        away_s: Seconds that a page may be out of reach before it counts as lost.
        whose: Who shows the page, for complaints ("Chromium", "the phone").
    """

    def __init__(self, *, away_s: float, whose: str) -> None:
        self.token = secrets.token_urlsafe(18)
        self.files: dict[str, Path] = {}
        self._whose = whose
        self._away_s = away_s
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._owner: str | None = None
        self._load = ""
        self._loads = 0
        self._connections = 0
        self._gone_since: float | None = None
        self._number = 0
        self._room = 0
        self._asked: Asked | None = None
        self._answer: bytes | None = None
        self._over: EdgekitError | None = None
        self._told = False

    # What the host does.

    @property
    def loads(self) -> int:
        """How often the page was loaded: what it held before is gone."""
        return self._loads

    def wait_for_page(self, seconds: float, *, hint: str | None = None) -> None:
        """Wait until a browser has claimed the page.

        Raises:
            DeviceError: None has, in time.
            RuntimeFault: The browser ended.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._owner or self._over, seconds):
                raise DeviceError(
                    f"{self._whose} has not opened the page within {seconds:g} s", hint=hint
                )
            if self._over:
                raise self._over

    def ask(
        self,
        step: Mapping[str, Any],
        body: bytes = b"",
        *,
        load: int | None = None,
        most: int = LONGEST_HEADER,
        timeout_s: float | None = None,
    ) -> tuple[dict[str, Any], memoryview]:
        """Have the page carry out a step.

        Args:
            step: What.
            body: Raw bytes that belong to it.
            load: The load of the page that the step belongs to; None for any.
            most: Bytes that the answer may have.
            timeout_s: Limit.

        Returns:
            The answer's header and raw bytes.

        Raises:
            EdgekitError: What the page says went wrong.
            PageLost: The page is gone, or was loaded anew.
            RuntimeFault: The browser ended, or took too long.
            DeviceError: The answer is malformed.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._turn, self._changed:
            load = self._loads if load is None else load
            self._number += 1
            self._answer, self._room = None, most
            self._asked = Asked(self._number, step, body)
            self._changed.notify_all()
            try:
                while (data := self._arrived()) is None:
                    self._raise_if_lost(load)
                    if end is not None and time.monotonic() >= end:
                        raise RuntimeFault(
                            f"{self._whose} took longer than its limit of {timeout_s:g} s"
                        )
                    self._changed.wait(_LOOK_AGAIN_S)
                header, raw = unpack(data)
            finally:
                self._asked = self._answer = None
        if "error" in header:
            raise _error(header["error"])
        return header, raw

    def end(self, error: EdgekitError) -> None:
        """No answer will come any more; whoever waits for one gets `error`."""
        with self._changed:
            self._over = self._over or error
            self._changed.notify_all()

    def wait_until_told(self, seconds: float) -> None:
        """After `end`: wait until the page has heard of it, if it is there."""
        with self._changed:
            self._changed.wait_for(lambda: self._told or not self._connections, seconds)

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._over is not None

    def _arrived(self) -> bytes | None:
        return self._answer

    def _raise_if_lost(self, load: int) -> None:
        if self._over:
            raise self._over
        if load != self._loads:
            raise PageLost(f"{self._whose} loaded the page anew: the model it had loaded is gone")
        gone = self._gone_since
        if gone is not None and time.monotonic() - gone > self._away_s:
            raise PageLost(
                f"{self._whose} is gone: the tab crashed, or was closed",
                f"it did not come back within {self._away_s:g} s",
            )

    # What the server's threads do.

    def claim(self, known: str, load: str) -> str | None:
        """A browser asks for the page: the secret it owns it by; None if another one does.

        Args:
            known: The secret it has from before, or "".
            load: Drawn by the page when it was loaded.
        """
        with self._changed:
            if self._owner is None:
                self._owner = secrets.token_urlsafe(18)
            elif not secrets.compare_digest(known.encode(), self._owner.encode()):
                return None
            if load != self._load:
                self._load = load
                self._loads += 1
            self._changed.notify_all()
            return self._owner

    def owns(self, secret: str) -> bool:
        """Whether `secret` is the owner's."""
        owner = self._owner
        return owner is not None and secrets.compare_digest(secret.encode(), owner.encode())

    def next(self, after: int, wait_s: float) -> Asked | None:
        """The step after number `after`; None if there is none within `wait_s`."""
        with self._changed:
            self._changed.wait_for(
                lambda: (self._asked and self._asked.number > after) or self._over, wait_s
            )
            asked = self._asked
            return asked if asked and asked.number > after and not self._over else None

    def told(self) -> None:
        """The page has heard that it is over."""
        with self._changed:
            self._told = True
            self._changed.notify_all()

    def asked(self, number: int) -> Asked | None:
        """The step of that number, while it is the one that is asked."""
        asked = self._asked
        return asked if asked is not None and asked.number == number else None

    def room(self, number: int) -> int:
        """Bytes that the answer to a step may have: the latest one's, which may come twice."""
        return self._room if number == self._number else 0

    def answered(self, number: int, data: bytes) -> bool:
        """Take an answer. False if there never was such a step; a second copy is dropped."""
        with self._changed:
            if self._asked is not None and self._asked.number == number and self._answer is None:
                self._answer = data
                self._changed.notify_all()
            return 0 < number <= self._number

    def connected(self) -> None:
        """The page holds a connection that lasts as long as it does."""
        with self._changed:
            self._connections += 1
            self._gone_since = None

    def disconnected(self) -> None:
        """Such a connection has ended."""
        with self._changed:
            self._connections -= 1
            if not self._connections:
                self._gone_since = time.monotonic()
            self._changed.notify_all()


def _error(data: Any) -> EdgekitError:
    """What the page says went wrong: its words, our kinds."""
    if not isinstance(data, dict):
        return DeviceError("the page failed and does not say how")
    kind = DeviceError if data.get("kind") == "device" else RuntimeFault
    details = data.get("details")
    told = [str(line)[:400] for line in details[:8]] if isinstance(details, list) else []
    hint = data.get("hint")
    return kind(
        str(data.get("message") or "the page failed")[:1000],
        *told,
        hint=str(hint)[:400] if hint else None,
    )
