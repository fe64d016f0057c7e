"""A process on the device that does one job or keeps one session, whatever the connection does.

It is detached (a session of its own, no terminal), listens on a Unix socket in a private folder
and works through a child that may crash (`edgekit.process`). Requests are numbered, one at a time,
and the answer of the last one is kept: who lost the connection asks again and gets it, and nothing
is done twice. Before it works it waits for its turn (`edgekit.agent.turn`). It ends when it is told
to, and by itself when nobody said a word for a while; its folder goes with it. Knows nothing of
what a job is, but that a probe disturbs nobody.

One JSON object a line. To the runner: `{"number", "payload", "limit_s", "by"}`, `{"alive": true}`,
`{"end": true}`. From it: `{"runner": 1, "nodename"}` to whoever connects, then `{"number",
"answer", "files"}`, `{"number", "error"}` or, where others have the turn, `{"number", "busy"}`, and
`{"ended": true}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import secrets
import selectors
import shutil
import signal
import socket
import struct
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgekit.agent.turn import Turn
from edgekit.errors import EdgekitError, FileError, UsageError
from edgekit.fields import Fields
from edgekit.process import Child

VERSION = 1
ENTRIES = {
    "job": "edgekit.agent.service:handler",
    "session": "edgekit.agent.session:handler",
}
SOCKET = "socket"
SOCKET_NAME = "socket-name"  # of a socket that lies in no folder
LOG = "log"
OUTPUTS = "outputs"
_LONGEST_LINE = 1024 * 1024
_MOST_FILES = 1024
_TURN_S = 2.0  # to wait for the turn before it is told who has it


def start(folder: Path, kind: str, keep_s: float) -> None:
    """Start a runner in a folder that is made here; the socket listens when this returns.

    Args:
        folder: Private to the user; must not exist.
        kind: Of `ENTRIES`.
        keep_s: Seconds without a word after which it ends.

    Raises:
        FileExistsError: It was started before.
        OSError: The folder or the socket cannot be made.
    """
    folder.mkdir(mode=0o700)
    log = _open_log(folder)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _standing_in(folder):
        _bind(listener)
    listener.listen(4)
    if os.fork():
        listener.close()
        os.close(log)
        os.wait()
        return
    # From here on in a process of its own that never returns.
    try:
        os.chdir(folder)
        os.setsid()
        if os.fork():
            os._exit(0)  # so that nobody has to wait for the grandchild
        _let_go(log)
        Runner(folder, kind, keep_s, listener).serve()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def connection_to(folder: Path) -> socket.socket:
    """Connect to the runner of a folder.

    Raises:
        OSError: There is none.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _standing_in(folder):
            named = Path(SOCKET_NAME)
            connection.connect(f"\0{named.read_text('ascii')}" if named.is_file() else SOCKET)
    except OSError:
        connection.close()
        raise
    return connection


def _bind(listener: socket.socket) -> None:
    """Bind to a socket in this folder; where none may be made, to one without a place.

    Android lets nobody make one below /data/local/tmp. The other has a name that nobody guesses,
    in a file that only this user reads; who connects to it must be the same user.
    """
    try:
        listener.bind(SOCKET)
    except PermissionError:
        name = f"edgekit-{secrets.token_hex(16)}"
        listener.bind(f"\0{name}")
        Path(SOCKET_NAME).write_text(name, "ascii")


def _is_ours(client: socket.socket) -> bool:
    """Whether this user is at the other end; asked where there are sockets without a place."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    told = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", told)[1] == os.getuid())


@contextmanager
def _standing_in(folder: Path) -> Iterator[None]:
    """The path of a socket has 108 bytes at most, that of a home may have more."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(here)
        os.close(here)


def is_left_behind(folder: Path) -> bool:
    """Whether a runner's folder has no runner any more."""
    import fcntl

    try:
        log = os.open(folder / LOG, os.O_WRONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(log)
    return True


def _open_log(folder: Path) -> int:
    """The runner's log; it stays locked for as long as the runner lives, however it ends."""
    import fcntl  # not on Windows, where this module is imported with the others

    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    fcntl.flock(log, fcntl.LOCK_EX)
    return log


def _let_go(log: int) -> None:
    """Leave the terminal, the pipes of the connection, and nothing to a signal of theirs."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


class Runner:
    """What `start` starts.

    Args:
        folder: Its own, where it stands.
        kind: Of `ENTRIES`.
        keep_s: Seconds without a word after which it ends.
        listener: A listening socket.
    """

    def __init__(self, folder: Path, kind: str, keep_s: float, listener: socket.socket) -> None:
        self._folder = folder
        self._entry = ENTRIES[kind]
        self._keep_s = keep_s
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._client: socket.socket | None = None
        self._incoming = b""
        self._outgoing = b""
        self._asked = 0
        self._answer: bytes | None = None
        self._todo: queue.Queue[tuple[int, dict[str, Any], float | None, str]] = queue.Queue()
        self._done: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self._woken, self._waker = socket.socketpair()
        self._child: Child | None = None
        # FOLDER/runs/OWNER-NUMBER: runs of one owner work side by side.
        self._turn = Turn(folder.parent.parent, folder.name.rpartition("-")[0])
        self._heard = time.monotonic()
        self._ended = False

    def serve(self) -> None:
        """Answer until the end."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        # The child dies with the thread that started it: this one lives as long as the process.
        threading.Thread(target=self._work, daemon=True).start()
        try:
            while not self._ended:
                left = self._heard + self._keep_s - time.monotonic()
                if left <= 0:
                    break
                for key, events in self._selector.select(left):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj is self._woken:
                        self._woken.recv(4096)
                        self._take_answers()
                    elif key.fileobj is self._client:
                        self._serve_client(events)
        finally:
            self._end()

    def _accept(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            if not _is_ours(client):
                client.close()
                return
            self._drop_client()  # whoever comes has lost the connection before
            client.setblocking(False)
            self._client = client
            self._selector.register(client, selectors.EVENT_READ)
            self._heard = time.monotonic()
            self._send(_line({"runner": VERSION, "nodename": os.uname().nodename}))

    def _drop_client(self) -> None:
        if self._client is not None:
            self._selector.unregister(self._client)
            self._client.close()
        self._client, self._incoming, self._outgoing = None, b"", b""

    def _serve_client(self, events: int) -> None:
        assert self._client is not None
        try:
            if events & selectors.EVENT_WRITE:
                self._flush()
            if not events & selectors.EVENT_READ:
                return
            data = self._client.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._incoming += data
        if not data or len(self._incoming) > _LONGEST_LINE:
            self._drop_client()
            return
        self._heard = time.monotonic()
        *lines, self._incoming = self._incoming.split(b"\n")
        for line in lines:
            try:
                self._hear(Fields(json.loads(line), "request", UsageError))
            except (EdgekitError, ValueError, RecursionError):
                traceback.print_exc()
                self._drop_client()  # nobody that we know speaks like this
                return

    def _hear(self, message: Fields) -> None:
        if message.has("end"):
            self._ended = True
            return
        if message.has("alive"):
            return
        number = message.integer("number", high=2**53)
        payload = message.mapping("payload")
        limit_s = message.optional_number("limit_s", high=1e7)
        by = message.text("by", "", longest=255)
        message.done()
        if number == self._asked:
            if self._answer is not None:
                self._send(self._answer)
        elif number == self._asked + 1 and (self._answer is not None or not self._asked):
            self._asked, self._answer = number, None
            self._todo.put((number, payload, limit_s, by))
        else:
            refusal = UsageError(f"request {number} came after request {self._asked}")
            self._send(_line({"number": number, "error": refusal.to_json()}))

    def _take_answers(self) -> None:
        with suppress(queue.Empty):
            while True:
                number, answer = self._done.get_nowait()
                if number == self._asked:
                    self._answer = answer
                    self._send(answer)

    def _send(self, line: bytes) -> None:
        if self._client is not None:
            self._outgoing += line
            self._flush()

    def _flush(self) -> None:
        assert self._client is not None
        try:
            while self._outgoing:
                sent = self._client.send(self._outgoing[:65536])
                self._outgoing = self._outgoing[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing = b""  # its answer is kept; what it said may still be read
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        self._selector.modify(self._client, events)

    def _work(self) -> None:
        while True:
            number, payload, limit_s, by = self._todo.get()
            answer = _line({"number": number, **self._answered(payload, limit_s, by)})
            self._done.put((number, answer))
            with suppress(OSError):
                self._waker.send(b".")

    def _answered(self, payload: dict[str, Any], limit_s: float | None, by: str) -> dict[str, Any]:
        try:
            # A probe looks and is gone: it waits for nobody.
            if payload.get("action") != "probe" and (busy := self._turn.take(by, _TURN_S)):
                return {"busy": busy}
            if self._child is None:
                self._child = Child(self._entry, environment=_importable())
            answer = self._child.call(payload, timeout_s=limit_s)
            return {"answer": answer, "files": _files(self._folder / OUTPUTS)}
        except EdgekitError as error:
            return {"error": error.to_json()}
        except OSError as error:
            return {"error": FileError.from_os_error(error).to_json()}
        except Exception as error:
            traceback.print_exc()
            return {"error": EdgekitError(f"agent: {type(error).__name__}: {error}").to_json()}

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.close()
        os.chdir("/")
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._client is not None:
            with suppress(OSError):
                self._client.settimeout(2.0)
                self._client.sendall(self._outgoing + _line({"ended": True}))
                self._client.close()


def _importable() -> dict[str, str]:
    """Variables with which a child finds the agent that runs here: a zipapp, or a source tree."""
    place = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH", "")
    return {
        "PYTHONPATH": os.pathsep.join(part for part in (place, inherited) if part),
        "PYTHONSAFEPATH": "1",
    }


def _files(folder: Path) -> list[dict[str, Any]]:
    """What lies below a folder: relative path, size, sha256."""
    found = []
    for path in sorted(folder.rglob("*"))[:_MOST_FILES]:
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(folder).as_posix()
            found.append({"name": name, "bytes": path.stat().st_size, "sha256": sha256(path)})
    return found


def sha256(path: Path) -> str:
    """Digest of a file, in hex; `hashlib.file_digest` needs Python 3.11."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1024 * 1024):
            total.update(block)
    return total.hexdigest()


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
