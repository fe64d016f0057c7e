"""A protocol double of adbd, the daemon of a phone, to which the real `adb` client connects.

It speaks the daemon's side of the protocol over TCP and runs shell commands for real, on this
machine, in a folder of its own. It proves that edgekit and the client understand each other. It
proves nothing about Android itself: its shell, its file system and its permissions are this
machine's, and what it says of a phone was written by a test.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

VERSION = 0x01000001  # from which on no checksum is sent
MOST = 64 * 1024
CNXN, OPEN, OKAY, CLSE, WRTE, AUTH = (
    int.from_bytes(name, "little")
    for name in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE", b"AUTH")
)
_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)


class Adbd:
    """The double of one phone.

    Args:
        place: Folder in which its commands run; `bin` in it comes first in their PATH.
        banner: What it says of itself when it is connected to.
        authorized: Whether it lets itself be asked; else it asks for a key again and again.
    """

    def __init__(self, place: Path, *, banner=b"ro.product.model=Double", authorized=True) -> None:
        self.place, self.authorized = place, authorized
        self._banner = b"device::" + banner + b";features=shell_v2,cmd,stat_v2"
        self.commands: list[str] = []
        self.pushed: list[str] = []
        self.bytes_in = 0
        self.cut_at: int | None = None  # bytes in, once
        self.environment: dict[str, str] = {}
        self.refusing = False
        self.full = False  # no space left
        self._connections: set[_Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.serial = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                if self.refusing:
                    wire.close()
                    continue
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection(self, wire)
                self._connections.add(connection)
                threading.Thread(target=connection.serve, daemon=True).start()

    @property
    def hello(self) -> bytes:
        return self._banner

    def cut(self):
        """Take the cable out; who comes again is let in unless `refusing`."""
        for connection in list(self._connections):
            connection.close()

    def forget(self, connection):
        self._connections.discard(connection)

    def close(self):
        self.refusing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


class _Connection:
    def __init__(self, phone: Adbd, wire: socket.socket) -> None:
        self._phone, self._wire = phone, wire
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}
        self._next = 1

    def send(self, command, one, other, data=b""):
        head = struct.pack("<6I", command, one, other, len(data), 0, command ^ 0xFFFFFFFF)
        with self._sending:
            self._wire.sendall(head + data)

    def serve(self):
        with suppress(OSError, EOFError):
            while True:
                command, one, other, size, _, _ = struct.unpack("<6I", self._exactly(24))
                self._hear(command, one, other, self._exactly(size))
        self.close()

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            block = self._wire.recv(min(size - len(data), 65536))
            if not block:
                raise EOFError
            data += block
            phone = self._phone
            phone.bytes_in += len(block)
            if phone.cut_at is not None and phone.bytes_in > phone.cut_at:
                phone.cut_at = None
                raise EOFError
        return data

    def _hear(self, command, one, other, data):
        if command in (CNXN, AUTH) and not self._phone.authorized:
            if not (command == AUTH and one == 3):  # its key: nobody accepts it on the screen
                self.send(AUTH, 1, 0, os.urandom(20))
        elif command == CNXN:
            self.send(CNXN, VERSION, MOST, self._phone.hello)
        elif command == OPEN:
            stream = _Stream(self, self._next, one)
            self._streams[self._next] = stream
            self._next += 1
            self._open(stream, data.rstrip(b"\0").decode())
        elif other in self._streams:
            stream = self._streams[other]
            if command == WRTE:
                self.send(OKAY, other, one)
                stream.hear(data)
            elif command == OKAY:
                stream.ready.set()
            elif command == CLSE:
                stream.end()

    def _open(self, stream, service):
        kind, _, rest = service.partition(":")
        name, *flags = kind.split(",")
        if name in ("shell", "exec"):
            self._phone.commands.append(rest)
            serve = _Shell(self._phone, stream, rest, framed="v2" in flags).serve
        elif name == "sync":
            serve = _Sync(self._phone, stream).serve
        else:
            self.send(CLSE, 0, stream.theirs)
            return
        self.send(OKAY, stream.ours, stream.theirs)
        threading.Thread(target=serve, daemon=True).start()

    def forget(self, stream):
        self._streams.pop(stream.ours, None)

    def close(self):
        self._phone.forget(self)
        for stream in list(self._streams.values()):
            stream.end()
        with suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        self._wire.close()


class _Stream:
    def __init__(self, connection: _Connection, ours: int, theirs: int) -> None:
        self._connection, self.ours, self.theirs = connection, ours, theirs
        self.ready = threading.Event()  # the last block was taken
        self.ready.set()
        self._incoming = b""
        self._come = threading.Condition()
        self._writing = threading.Lock()
        self.ended = False
        self.at_end = lambda: None

    def hear(self, data):
        with self._come:
            self._incoming += data
            self._come.notify_all()

    def end(self):
        with self._come:
            self.ended = True
            self._come.notify_all()
        self.ready.set()
        self._connection.forget(self)
        self.at_end()

    def read(self, size):
        with self._come:
            while len(self._incoming) < size:
                if self.ended:
                    raise EOFError
                self._come.wait()
            data, self._incoming = self._incoming[:size], self._incoming[size:]
            return data

    def write(self, data):
        with self._writing:
            for start in range(0, len(data), MOST):
                self.ready.wait()
                if self.ended:
                    raise EOFError
                self.ready.clear()
                block = data[start : start + MOST]
                self._connection.send(WRTE, self.ours, self.theirs, block)

    def close(self):
        with suppress(OSError):
            self.ready.wait(5.0)
            self._connection.send(CLSE, self.ours, self.theirs)
        self._connection.forget(self)


class _Shell:
    """`shell,v2:`, framed with an exit status, or `shell:` and `exec:`, as it comes."""

    def __init__(self, phone: Adbd, stream: _Stream, command: str, *, framed: bool) -> None:
        self._stream, self._framed = stream, framed
        path = f"{phone.place / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=phone.place,
            env={**os.environ, "PATH": path, **phone.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if framed else subprocess.STDOUT,
            start_new_session=True,
        )
        stream.at_end = self._hang_up

    def _hang_up(self):
        """The client is gone: as adbd does it, with SIGHUP."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGHUP)
        with suppress(OSError):
            self._process.stdin.close()

    def serve(self):
        threading.Thread(target=self._listen, daemon=True).start()
        pipes = [(_STDOUT, self._process.stdout), (_STDERR, self._process.stderr)]
        pumps = [
            threading.Thread(target=self._pump, args=pair, daemon=True) for pair in pipes if pair[1]
        ]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        status = self._process.wait()
        with suppress(EOFError, OSError):
            if self._framed:
                self._stream.write(self._packet(_EXIT, bytes([status % 256])))
            self._stream.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _pump(self, kind, pipe):
        with suppress(EOFError, OSError):
            while data := pipe.read1(MOST - 5):
                self._stream.write(self._packet(kind, data) if self._framed else data)

    def _listen(self):
        with suppress(EOFError, OSError):
            while True:
                if not self._framed:
                    self._process.stdin.write(self._stream.read(1))
                    self._process.stdin.flush()
                    continue
                kind, size = struct.unpack("<BI", self._stream.read(5))
                data = self._stream.read(size)
                if kind == _STDIN:
                    self._process.stdin.write(data)
                    self._process.stdin.flush()
                elif kind == _CLOSE_STDIN:
                    self._process.stdin.close()
                    return

    @staticmethod
    def _packet(kind, data):
        return struct.pack("<BI", kind, len(data)) + data


class _Sync:
    """`sync:`: STAT, SEND and RECV."""

    def __init__(self, phone: Adbd, stream: _Stream) -> None:
        self._phone, self._stream = phone, stream

    def serve(self):
        with suppress(EOFError, OSError):
            while True:
                kind, size = struct.unpack("<4sI", self._stream.read(8))
                if kind == b"QUIT":
                    break
                name = self._stream.read(size).decode()
                if kind in (b"STA2", b"LST2"):
                    self._stream.write(kind + self._stat2(Path(name)))
                elif kind == b"STAT":
                    self._stream.write(kind + self._stat(Path(name)))
                elif kind == b"SEND":
                    self._receive(name)
                elif kind == b"RECV":
                    self._give(Path(name))
                else:
                    self._fail(f"unknown command {kind!r}")
        self._stream.close()

    def _stat2(self, path):
        try:
            s = path.stat()
        except OSError as error:
            return struct.pack("<IQQIIIIQqqq", error.errno, *[0] * 10)
        return struct.pack(
            "<IQQIIIIQqqq", 0, s.st_dev, s.st_ino, s.st_mode, s.st_nlink, s.st_uid, s.st_gid,
            s.st_size, int(s.st_atime), int(s.st_mtime), int(s.st_ctime),
        )  # fmt: skip

    def _stat(self, path):
        try:
            s = path.stat()
        except OSError:
            return bytes(12)
        return struct.pack("<III", s.st_mode, s.st_size, int(s.st_mtime))

    def _receive(self, name):
        path, _, mode = name.rpartition(",")
        self._phone.pushed.append(path)
        problem = "No space left on device" if self._phone.full else None
        received = b""
        while True:
            kind, size = struct.unpack("<4sI", self._stream.read(8))
            if kind == b"DONE":
                break
            received += self._stream.read(size)
            with suppress(OSError):  # what came is there, whatever comes of the rest
                Path(path).write_bytes(received)
        try:
            Path(path).write_bytes(received)
            Path(path).chmod(int(mode) & 0o777)
        except OSError as error:
            problem = f"couldn't create file: {error.strerror}"
        if problem:
            self._fail(problem)
        else:
            self._stream.write(b"OKAY" + bytes(4))

    def _give(self, path):
        try:
            data = path.read_bytes()
        except OSError as error:
            self._fail(f"open failed: {error.strerror}")
            return
        for start in range(0, len(data), MOST):
            block = data[start : start + MOST]
            self._stream.write(struct.pack("<4sI", b"DATA", len(block)) + block)
        self._stream.write(b"DONE" + bytes(4))

    def _fail(self, problem):
        self._stream.write(struct.pack("<4sI", b"FAIL", len(problem)) + problem.encode())
