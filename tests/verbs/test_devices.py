"""Profiles that edgekit writes from what a device says about itself."""

from __future__ import annotations

import json
import platform

import pytest

from edgekit import shelf
from edgekit.cli import main
from edgekit.device import read_device_toml
from edgekit.errors import DeviceError, UsageError
from edgekit.transports.connect import find_profile
from edgekit.verbs.devices import add_device, parse_option, ssh_options


@pytest.fixture(autouse=True)
def own_shelf(tmp_path, monkeypatch):
    """A shelf of the test's own."""
    monkeypatch.setenv("EDGEKIT_SHELF", str(tmp_path / "shelf"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "shelf"


def test_a_device_that_was_added_is_found_by_name_and_knows_its_machine(own_shelf):
    added = add_device("mine", transport="local", options={})
    assert added.file == own_shelf / "devices" / "mine.toml"
    profile = find_profile("mine")
    assert profile.require["machine"] == platform.machine()
    assert "litert" in profile.prefer
    assert (profile.transport, profile.threads) == ("local", 1)
    profile.check(added.environment)
    with pytest.raises(DeviceError, match="machine is abacus"):
        profile.check({**added.environment, "machine": "abacus"})


def test_what_cannot_be_asked_leaves_no_profile(own_shelf):
    with pytest.raises(DeviceError, match="local: unknown key host"):
        add_device("mine", transport="local", options={"host": "x"})
    with pytest.raises(UsageError, match="unknown transport 'pigeon'"):
        add_device("mine", transport="pigeon", options={})
    assert not list(own_shelf.rglob("*.*"))


@pytest.mark.parametrize("name", ["", "a/b", "../x", "-x", "a" * 64, "a\nb"])
def test_a_name_that_leaves_the_shelf_is_refused(name):
    with pytest.raises(UsageError, match="is no name for a device"):
        add_device(name, transport="local", options={})


def test_a_profile_is_never_overwritten(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    with pytest.raises(UsageError, match=r"mine\.toml is there already"):
        add_device("mine", transport="local", options={}, out=file)
    assert file.read_text() == "precious"
    with pytest.raises(UsageError, match=r"local-cpu: .*local-cpu\.toml is there already"):
        add_device("local-cpu", transport="local", options={})


def test_options_are_read_as_toml_else_as_text():
    assert parse_option("port=2222") == ("port", 2222)
    assert parse_option("headless=true") == ("headless", True)
    assert parse_option("key=~/.ssh/id board") == ("key", "~/.ssh/id board")
    assert parse_option("user=") == ("user", "")
    for text in ("port", "=1", "Port=1", "a b=1"):
        with pytest.raises(UsageError, match="is no option"):
            parse_option(text)


def test_a_host_is_taken_apart():
    assert ssh_options("pi@board.local:2222") == {
        "host": "board.local", "user": "pi", "port": 2222,
    }  # fmt: skip
    assert ssh_options("board") == {"host": "board"}
    for text in ("", "pi@", "board:x", "pi@:22"):
        with pytest.raises(UsageError, match="is no host"):
            ssh_options(text)


def test_what_a_device_says_is_text_in_its_profile(monkeypatch, own_shelf):
    from edgekit.transports.local import LocalTransport

    told = LocalTransport._run

    def lie(self, job, timeout_s):
        result = told(self, job, timeout_s)
        return type(result)({**result.environment, "cpu_model": 'a"\n[require]\nsystem = "b\\'})

    monkeypatch.setattr(LocalTransport, "_run", lie)
    add_device("odd", transport="local", options={})
    profile = read_device_toml(own_shelf / "devices" / "odd.toml")
    assert set(profile.require) <= {"machine", "cpu_model", "cpu_governor"}
    assert profile.require["cpu_model"].startswith('a"')


def test_the_command_writes_it_and_the_listing_has_it(capsys, tmp_path):
    assert main(["devices", "add", "mine", "--transport", "local", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["transport"]) == ("mine", "local")
    assert main(["devices", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reachable"]
    assert main(["devices", "add", "other"]) == 2
    assert "no way to the device was named" in capsys.readouterr().err
    assert "mine" in shelf.device_files()
