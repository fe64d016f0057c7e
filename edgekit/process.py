"""Run a function in a child process that may crash, and speak JSON lines with it.

A converter or runtime that aborts kills the child, never edgekit: the caller gets `ChildCrashed`
with the signal and the last lines the child wrote. The child dies with its parent. Knows processes
and JSON. Does not know what the functions do.

The child runs `python -m edgekit.process module:factory`. `factory()` returns a handler,
`handler(payload, emit) -> dict`; `emit(dict)` sends progress events before the answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from edgekit.errors import EdgekitError, FileError

Emit = Callable[[dict[str, Any]], None]
Handler = Callable[[dict[str, Any], Emit], dict[str, Any]]

_MAX_ANSWER_CHARACTERS = 64 * 1024 * 1024

_running: set[Child] = set()
_ending = threading.Event()


class ChildCrashed(EdgekitError):
    """The child process ended without an answer."""


class ChildFailed(EdgekitError):
    """The child's function raised something that is not an `EdgekitError`."""


class Child:
    """A child process with one handler; `call` may be used again until it crashes.

    Args:
        entry: `module:factory`.
        environment: Variables to add for the child.
        python: Interpreter to run; the current one by default.
        prefix: Words before the interpreter: a program that starts it elsewhere, as `chroot` does.
    """

    def __init__(
        self,
        entry: str,
        *,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        prefix: Sequence[str] = (),
    ) -> None:
        self.entry = entry
        if _ending.is_set():
            raise ChildCrashed(f"no process for {entry}: edgekit is being ended")
        # A file, not a pipe: a chatty converter must not block on a reader that is busy elsewhere.
        self._log = tempfile.TemporaryFile(mode="w+b")  # noqa: SIM115  closed in close()
        self._closing = threading.Lock()
        self._killed_because = ""
        try:
            self._process = subprocess.Popen(
                [*prefix, python, "-m", "edgekit.process", entry, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
                env={**os.environ, **(environment or {})},
                # Ctrl-C goes to edgekit, which ends its children in order.
                start_new_session=sys.platform != "win32",
            )
        except BaseException:  # no such interpreter, or no more processes
            self._log.close()
            raise
        _running.add(self)
        if _ending.is_set():  # since the question above
            self.kill("was ended with edgekit")

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def call(
        self,
        payload: dict[str, Any],
        *,
        on_event: Emit | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            EdgekitError: Whatever edgekit error the handler raised, rebuilt here.
            ChildFailed: The handler raised another exception.
            ChildCrashed: The child ended, or `timeout_s` passed and it was ended.
        """
        timer = None
        if timeout_s:
            reason = f"took longer than its limit of {timeout_s:g} s"
            timer = threading.Timer(timeout_s, self.kill, [reason])
            timer.daemon = True
            timer.start()
        try:
            with suppress(OSError):  # a dead child is reported below, with its reason
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(payload) + "\n")
                self._process.stdin.flush()
            assert self._process.stdout is not None
            while line := self._process.stdout.readline(_MAX_ANSWER_CHARACTERS):
                message = json.loads(line)
                if "event" in message:
                    if on_event:
                        on_event(message["event"])
                elif "error" in message:
                    raise EdgekitError.from_json(message["error"])
                else:
                    answer: dict[str, Any] = message["answer"]
                    return answer
            raise self._crash_report()
        finally:
            if timer:
                timer.cancel()

    def log_tail(self, lines: int = 20) -> list[str]:
        """The last lines the child wrote to stderr (and stdout)."""
        if self._log.closed:
            return []
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 16_384))
        text = self._log.read().decode("utf-8", "replace")
        return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]

    def kill(self, reason: str = "") -> None:
        """End the child at once, and on POSIX the processes it started with it.

        Args:
            reason: What a caller that waits for an answer is told ("took too long").
        """
        self._killed_because = reason
        with suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            elif self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the child in order: close its input, give it a moment, then kill it."""
        with self._closing:
            for stream in (self._process.stdin, self._process.stdout):
                if stream:
                    with suppress(OSError):
                        stream.close()
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self.kill()
                self._process.wait()
            self._log.close()
            _running.discard(self)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exc: object) -> None:
        # After an error there is nothing to wait for.
        if exc[0] is not None:
            self.kill()
        self.close()

    def _crash_report(self) -> ChildCrashed:
        code = self._process.wait()
        if self._killed_because:
            how = self._killed_because
        elif code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            how = f"was ended by {name}"
            if name == "SIGKILL":
                how += " (out of memory?)"
        else:
            how = f"ended with status {code}"
        return ChildCrashed(f"the process running {self.entry} {how}", *self.log_tail(5))


def run_in_child(
    entry: str,
    payload: dict[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    on_event: Emit | None = None,
) -> dict[str, Any]:
    """One call in one fresh process. Raises as `Child.call` does."""
    with Child(entry, environment=environment) as child:
        return child.call(payload, timeout_s=timeout_s, on_event=on_event)


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_all() -> None:
    """End every running child at once, and refuse new ones: edgekit itself is being ended.

    Threads that wait for a child then get `ChildCrashed` instead of holding up the exit.
    """
    _ending.set()
    for child in list(_running):
        child.kill("was ended with edgekit")


def serve(entry: str, parent: int) -> None:
    """The child's side: answer requests from stdin until it closes, or until `parent` dies."""
    _die_with(parent)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Libraries print: whatever goes to stdout belongs in the log, not in the answers.
    os.dup2(2, 1)
    lock = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    handler: Handler | None = None
    for line in sys.stdin:
        try:
            if handler is None:
                module, _, factory = entry.partition(":")
                handler = getattr(import_module(module), factory)()
            assert handler is not None
            answer = handler(json.loads(line), lambda event: send({"event": event}))
            send({"answer": answer})
        except EdgekitError as error:
            send({"error": error.to_json()})
        except OSError as error:
            send({"error": FileError.from_os_error(error).to_json()})
        except Exception as error:
            import traceback

            traceback.print_exc()
            reason = next((text for text in str(error).splitlines() if text.strip()), "")
            send({"error": ChildFailed(f"{type(error).__name__}: {reason[:500]}").to_json()})


def _die_with(parent: int) -> None:
    if sys.platform != "linux":
        return  # there the closed stdin ends the child after the call it is in
    import ctypes

    pr_set_pdeathsig = 1
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
