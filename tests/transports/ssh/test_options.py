from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgekit.device import read_device_toml
from edgekit.errors import DeviceError
from edgekit.transports.ssh.options import Options, read_options


@pytest.fixture
def options_of(tmp_path):
    """Read the options of a profile with a table `[ssh]`."""

    def read(table, top=""):
        path = tmp_path / "pi.toml"
        path.write_text(f'transport = "ssh"\n{top}\n[ssh]\n{table}\n')
        return read_options(read_device_toml(path))

    return read


def test_a_host_is_enough(options_of):
    options = options_of('host = "raspberrypi.local"')
    assert options.host == options.shown == "raspberrypi.local"
    assert options.port is options.user is options.key is None
    assert options.known_hosts == Path("~/.ssh/known_hosts").expanduser()
    assert options.python == "python3"


def test_files_are_meant_from_the_profiles_folder(options_of, tmp_path):
    options = options_of('host = "a"\nkey = "keys/pi"\nknown_hosts = "known"')
    assert options.key == tmp_path / "keys" / "pi"
    assert options.known_hosts == tmp_path / "known"


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("", r"pi\.toml: ssh: the key 'host' is missing"),
        ('host = ""', "host: '' is no name"),
        ('host = "pi@board"', "host: 'pi@board' is no host's name"),
        ('host = "-oProxyCommand=x"', "is no host's name"),
        ('host = "a"\nport = 0', "port: 0 is outside 1…65535"),
        ('host = "a"\npassword = "b"', "unknown key password"),
        ('host = "a"\nkeep_s = 5', r"keep_s: 5 s is less than patience_s \(60 s\)"),
        ('host = "a"\npython = "a\\nb"', "python: .* is no name"),
    ],
)
def test_a_wrong_table_is_named_with_file_and_key(options_of, table, complaint):
    with pytest.raises(DeviceError, match=complaint):
        options_of(table)


def test_an_interpreter_of_this_machine_is_not_taken_for_one_of_the_board(options_of):
    with pytest.raises(DeviceError, match="of this machine") as caught:
        options_of('host = "a"', top='python = "/opt/python"')
    assert caught.value.hint == '[ssh] python = "/opt/python" names one of the board'


@pytest.mark.parametrize("python", ["~/a b/python", "/opt/it's/python", "~/x'; echo y; '"])
def test_a_shell_takes_the_interpreters_path_as_it_is(python, tmp_path):
    command = Options("board", python=python).command("it's", "$HOME")
    script = f"set -- {command}; printf '%s|' \"$@\""
    done = subprocess.run(
        ["sh", "-c", script], env={"HOME": "/home/me"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{python.replace('~', '/home/me')}|it's|$HOME|"


def test_the_boards_that_come_with_edgekit_are_read(checkout):
    boards = [read_device_toml(path) for path in (checkout / "devices").glob("*.toml")]
    found = {board.name: read_options(board) for board in boards if board.transport == "ssh"}
    assert {"raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2"} <= set(found)
    assert "jetson-orin-nano" in found
    assert all(options.connect_s <= 3.0 for options in found.values())
