"""Boards for tests: a real OpenSSH server with its own keys, and a proxy that cuts connections."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.job import Job
from edgekit.transports.ssh import SshTransport
from edgekit.transports.ssh.options import Options

NEEDED = "openssh-server is not installed: apt-get install openssh-server"


class Board:
    """An SSH server of this user on this machine, and a folder that is the board's."""

    def __init__(self, place: Path, *, address="127.0.0.1", prefix=()) -> None:
        self.place, self.address, self._prefix = place, address, prefix
        place.mkdir(parents=True)
        self.folder = place / "the board's own" / "edgekit"  # a path with a space and a quote
        self.packages = place / "packages"
        self.host_key, self.key = place / "host_key", place / "key"
        make_key(self.host_key)
        make_key(self.key)
        shutil.copy(f"{self.key}.pub", place / "authorized_keys")
        self.known_hosts = place / "known_hosts"
        self.port = free_port()
        self.trust()
        self._install_plug_in()
        self.start()

    def _install_plug_in(self):
        info = self.packages / "bad_runtimes-1.dist-info"
        info.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("board_runtimes.py"), self.packages)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-runtimes\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            "[edgekit.runtimes]\ncounting = board_runtimes:Counting\n"
            "crashing = board_runtimes:Crashing\nhanging = board_runtimes:Hanging\n"
        )

    def trust(self, *ports):
        """Write the board's host key to known_hosts, for its own port and others."""
        kind, key, *_ = Path(f"{self.host_key}.pub").read_text().split()
        self.known_hosts.write_text(
            "".join(f"[{self.address}]:{port} {kind} {key}\n" for port in (self.port, *ports))
        )

    def start(self, *lines):
        """Start the server; `lines` of its configuration come first."""
        config = self.place / "sshd_config"
        config.write_text(
            "\n".join(
                [
                    *lines,
                    f"Port {self.port}",
                    f"ListenAddress {self.address}",
                    f"HostKey {self.host_key}",
                    f"AuthorizedKeysFile {self.place}/authorized_keys",
                    "PidFile none",
                    "UsePAM no",
                    "StrictModes no",
                    "PasswordAuthentication no",
                    "KbdInteractiveAuthentication no",
                    "PrintMotd no",
                    f"SetEnv PYTHONPATH={self.packages}",
                    "Subsystem sftp internal-sftp",
                    "",
                ]
            )
        )
        self.log = (self.place / "sshd.log").open("ab")
        self._server = subprocess.Popen(
            [*self._prefix, sshd(), "-D", "-e", "-f", config], stderr=self.log
        )
        wait_until(lambda: self._listens() or self._server.poll() is not None)
        assert self._server.poll() is None, (self.place / "sshd.log").read_text()

    def _listens(self):
        if self._prefix:
            return b"Server listening" in (self.place / "sshd.log").read_bytes()
        with suppress(OSError), socket.create_connection((self.address, self.port), 1.0):
            return True
        return False

    def stop(self):
        """End the server and what it serves."""
        self._server.terminate()
        self._server.wait()
        self.log.close()

    def options(self, **changes) -> Options:
        return replace(
            Options(
                host=self.address,
                port=self.port,
                user=getpass.getuser(),
                key=self.key,
                known_hosts=self.known_hosts,
                python=sys.executable,
                folder=str(self.folder),
                silence_s=1.5,
                patience_s=30.0,
                where="board.toml",
            ),
            **changes,
        )

    def profile(self, path: Path, *more, **changes) -> Path:
        """A device profile of this board; `more` are further tables."""
        options = self.options(**changes)
        lines = ['transport = "ssh"', "[ssh]"]
        keys = ("host", "port", "user", "key", "known_hosts", "python", "folder")
        for name in (*keys, "silence_s", "patience_s", "keep_s"):
            value = getattr(options, name)
            lines.append(
                f"{name} = {value}" if isinstance(value, int | float) else f'{name} = "{value}"'
            )
        path.write_text("\n".join([*lines, *more, ""]))
        return path

    def wait_for(self, condition, seconds=20.0):
        """Wait until something is so that has no event to wait for."""
        wait_until(condition, seconds)

    def calls(self) -> int:
        """Calls that the runtime `counting` has served on the board."""
        return sum(path.stat().st_size for path in self.packages.glob("calls-*"))

    def served(self) -> int:
        """Processes on the board that loaded a model in the runtime `counting`."""
        return len(list(self.packages.glob("calls-*")))

    def forget_calls(self):
        """Count from zero again."""
        for path in self.packages.glob("calls-*"):
            path.unlink()

    def runs(self) -> list[str]:
        """Processes that are kept on the board, by their folders."""
        place = self.folder / "runs"
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def processes(self) -> list[str]:
        """Command lines of processes that work in the board's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    variables = (entry / "environ").read_bytes().decode("utf-8", "replace")
                    ours = str(self.folder) in words or f"{self.folder}/agents" in variables
                    if ours and int(entry.name) != os.getpid():
                        found.append(f"{entry.name} {words}")
        return found


class Proxy:
    """A TCP proxy in front of a board that cuts connections when it is told to.

    Args:
        board: Where to.
        cut_after: Bytes from the board after which each connection is cut; None for never.
    """

    def __init__(self, board: Board, cut_after: int | None = None) -> None:
        self._target = (board.address, board.port)
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self.cut_after = cut_after
        self.connections = 0
        self.refusing = False
        self.bytes_to_board = 0
        self.cut_at: int | None = None  # bytes to the board, once
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refusing:
                    client.close()
                    continue
                self.connections += 1
                pair = client, socket.create_connection(self._target)
                for end in pair:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs.add(pair)
                for source, target in (pair, pair[::-1]):
                    threading.Thread(
                        target=self._pump, args=(source, target, pair), daemon=True
                    ).start()

    def _pump(self, source, target, pair):
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if source is pair[0]:
                    self.bytes_to_board += len(data)
                    if self.cut_at is not None and self.bytes_to_board > self.cut_at:
                        self.cut_at = None
                        break
                elif self.cut_after is not None and passed > self.cut_after:
                    break
                target.sendall(data)
        self._cut(pair)

    def _cut(self, pair):
        self._pairs.discard(pair)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self):
        """Cut every connection now."""
        for pair in list(self._pairs):
            self._cut(pair)

    def close(self):
        self._listener.close()
        self.cut()


def sshd() -> str:
    if sys.platform != "linux":
        pytest.skip("what runs on the board is read from /proc: these tests need Linux")
    found = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if found is None:
        pytest.skip(NEEDED)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's server wants it
    return found


def make_key(path: Path, kind="ed25519", passphrase="") -> None:
    path.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until(condition, seconds=20.0):
    """Until something is so that has no event to wait for."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def asyncssh_is_here():
    pytest.importorskip("asyncssh", reason="asyncssh is not installed: pip install -e '.[ssh]'")


@pytest.fixture(autouse=True)
def a_home_of_ones_own(tmp_path, monkeypatch):
    """No key, agent or configuration of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def module_board(tmp_path_factory):
    sshd()
    board = Board(tmp_path_factory.mktemp("board") / "board")
    yield board
    board.stop()


@pytest.fixture
def board(module_board):
    """A board that all tests of a module share; calls are counted for each test."""
    module_board.forget_calls()
    return module_board


@pytest.fixture(scope="session")
def namespace():
    """A machine of its own behind a cable: (prefix of commands there, its address, this end)."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root and iproute2: apt-get install iproute2")
    name, ours, theirs = (f"ek{kind}{os.getpid()}" for kind in "nab")
    subnet = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {ours} type veth peer name {theirs} netns {name}",
        f"ip addr add {subnet}.1/30 dev {ours}",
        f"ip link set {ours} up",
        f"ip -n {name} addr add {subnet}.2/30 dev {theirs}",
        f"ip -n {name} link set {theirs} up",
        f"ip -n {name} link set lo up",
        f"ip netns exec {name} true",
    ]
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespace here: {command}: {done.stderr.strip()}")
        yield ("ip", "netns", "exec", name), f"{subnet}.2", ours
    finally:
        subprocess.run(["ip", "link", "del", ours], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture
def far_board(namespace, tmp_path):
    """A board in a network namespace, and what takes its cable out and plugs it in again."""
    sshd()
    prefix, address, ours = namespace

    def cable(state):
        subprocess.run(["ip", "link", "set", ours, state], check=True)

    board = Board(tmp_path / "far", address=address, prefix=prefix)
    yield board, cable
    cable("up")
    board.stop()


@pytest.fixture
def transport(board):
    transport = SshTransport(board.options())
    yield transport
    transport.close()


@pytest.fixture
def proxy(board):
    proxy = Proxy(board)
    board.trust(proxy.port)
    yield proxy
    proxy.close()


@pytest.fixture
def through(board, proxy):
    """The board, through the proxy."""
    transport = SshTransport(board.options(port=proxy.port))
    yield transport
    transport.close()


@pytest.fixture
def wait_for():
    """Wait until something is so that has no event to wait for."""
    return wait_until


@pytest.fixture(name="make_key")
def make_key_fixture():
    """Make a pair of keys."""
    return make_key


@pytest.fixture
def job(tmp_path):
    """Make a job for the board's own runtimes; a model is any file."""
    model = tmp_path / "a model.bin"
    model.write_bytes(b"model")
    samples = tmp_path / "x.npy"
    np.save(samples, np.ones((20, 8, 8, 3), np.float32))

    def make(action="measure", runtime="counting", **changes):
        files = {"model": str(model), "inputs": str(samples)}
        if action == "run":
            files["outputs"] = str(tmp_path / "y.npy")
        return Job(action=action, runtime=runtime, **{**files, **changes})

    return make
