from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgekit.errors import DeviceError, MissingExtraError
from edgekit.job import Job
from edgekit.transports.ssh import SshTransport, login


def refusal(options):
    transport = SshTransport(options)
    try:
        with pytest.raises(DeviceError) as caught:
            transport.run(Job("probe"))
    finally:
        transport.close()
    assert "\n" not in caught.value.message
    return caught.value


def fingerprint(public_key):
    done = subprocess.run(
        ["ssh-keygen", "-lf", public_key], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[1]


def test_without_asyncssh_the_extra_is_named(board, monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    transport = SshTransport(board.options())
    with pytest.raises(
        MissingExtraError, match="reaching boards over SSH needs asyncssh"
    ) as caught:
        transport.run(Job("probe"))
    transport.close()
    assert caught.value.hint.endswith("[ssh]'")


def test_an_unknown_host_key_is_refused_with_its_fingerprint_and_never_written(board, tmp_path):
    for known_hosts in (tmp_path / "none", tmp_path / "empty"):
        if known_hosts.name == "empty":
            known_hosts.touch()
        error = refusal(board.options(known_hosts=known_hosts))
        assert "its host key is not known" in error.message
        assert fingerprint(f"{board.host_key}.pub") in error.details[0]
        assert f"ssh-keyscan -p {board.port} -t ed25519 {board.address}" in error.hint
        assert not known_hosts.exists() or not known_hosts.read_text()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_changed_host_key_is_refused_with_both_fingerprints(board, make_key, tmp_path, kind):
    other = tmp_path / "other"
    make_key(other, kind)
    known_hosts = tmp_path / "known_hosts"
    words = Path(f"{other}.pub").read_text().split()
    known_hosts.write_text(f"[{board.address}]:{board.port} {words[0]} {words[1]}\n")
    error = refusal(board.options(known_hosts=known_hosts))
    assert "its host key has changed" in error.message
    assert fingerprint(f"{board.host_key}.pub") in error.details[0]
    assert fingerprint(f"{other}.pub") in error.details[1]
    assert "ssh-keygen -f" in error.hint


def test_a_host_key_that_ssh_keyscan_wrote_is_known(board, tmp_path):
    if shutil.which("ssh-keyscan") is None:
        pytest.skip("ssh-keyscan is not installed: apt-get install openssh-client")
    scanned = subprocess.run(
        ["ssh-keyscan", "-p", str(board.port), "-t", "ed25519", "-H", board.address],
        capture_output=True,
        check=True,
    ).stdout
    (tmp_path / "known_hosts").write_bytes(scanned)
    transport = SshTransport(board.options(known_hosts=tmp_path / "known_hosts"))
    assert transport.run(Job("probe")).environment["host"] == board.address
    transport.close()


def test_a_key_that_the_board_does_not_accept_is_named_with_the_remedy(board, make_key, tmp_path):
    make_key(tmp_path / "stranger")
    error = refusal(board.options(key=tmp_path / "stranger"))
    assert f"does not accept the key {tmp_path}/stranger" in error.message
    assert error.hint.startswith(f"ssh-copy-id -i {tmp_path}/stranger -p {board.port} ")


def test_without_any_key_there_is_no_question_for_a_password(board):
    assert "any key of ~/.ssh or of the agent" in refusal(board.options(key=None)).message


def test_a_key_with_a_passphrase_is_left_to_the_agent(board, make_key, tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    make_key(locked, passphrase="secret")
    accepted = board.place / "authorized_keys"
    before = accepted.read_text()
    accepted.write_text(before + Path(f"{locked}.pub").read_text())
    try:
        error = refusal(board.options(key=locked))
        assert f"the key {locked} has a passphrase" in error.message
        assert f"ssh-add {locked}" in error.hint
        with_agent(board, locked, tmp_path, monkeypatch)
    finally:
        accepted.write_text(before)


def with_agent(board, locked, tmp_path, monkeypatch):
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not installed: apt-get install openssh-client")
    place = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        asking = tmp_path / "asking"
        asking.write_text("#!/bin/sh\necho secret\n")
        asking.chmod(0o755)
        environment = {
            "SSH_AUTH_SOCK": str(place),
            "SSH_ASKPASS": str(asking),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": ":",
        }
        for _ in range(200):
            if place.exists():
                break
            subprocess.run(["sleep", "0.02"], check=True)
        subprocess.run(
            ["ssh-add", "-q", locked],
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
            executable=shutil.which("ssh-add"),
        )
        transport = SshTransport(board.options(key=locked))
        assert transport.run(Job("probe")).environment["host"] == board.address
        transport.close()
    finally:
        agent.terminate()
        agent.wait()


def test_a_key_that_is_not_there_is_named_with_the_file_that_names_it(board, tmp_path):
    error = refusal(board.options(key=tmp_path / "none"))
    assert error.message == f"{tmp_path}/none: no such key"
    assert error.limit == "ssh.key in board.toml"


def test_a_file_that_is_no_key_is_named(board, tmp_path):
    (tmp_path / "board.toml").write_text('transport = "ssh"\n')
    error = refusal(board.options(key=tmp_path / "board.toml"))
    assert error.message.startswith(f"{tmp_path}/board.toml: ")
    assert "names a private key" in error.hint


def test_a_board_that_is_not_there_is_one_short_line(board):
    assert "refuses connections" in refusal(board.options(port=1)).message
    error = refusal(board.options(host="no-such-board.invalid", port=None))
    assert error.message == "no-such-board.invalid: no machine of this name is known"


def test_a_board_that_does_not_answer_is_given_up_soon(board):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        try:
            for one in waiting:  # who connects now waits for a place in the queue
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            error = refusal(board.options(port=port, connect_s=0.3))
        finally:
            for one in waiting:
                one.close()
    assert "no answer within 0.3 s" in error.message


def test_a_name_that_takes_long_to_look_up_holds_up_nobody(board, monkeypatch):
    looked_up = threading.Event()

    def slow(*_arguments, **_named):
        looked_up.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        error = refusal(board.options(host="board.invalid", connect_s=0.2))
    finally:
        looked_up.set()
    assert "no answer within 0.2 s" in error.message


def test_something_that_is_no_ssh_server_is_given_up(board, monkeypatch):
    monkeypatch.setattr(login, "_LOGIN_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refusal(board.options(port=silent.getsockname()[1]))
    assert "no login within" in error.message or "Login timeout" in error.message
