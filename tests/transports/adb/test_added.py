"""`edgekit devices add --adb` and what follows, on a protocol double of a phone's daemon."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit.cli.devices import command
from edgekit.device import read_device_toml
from edgekit.verbs import listing
from edgekit.verbs.devices import adb_options


@pytest.fixture(autouse=True)
def own_shelf(tmp_path, monkeypatch, adb):
    """A shelf of the test's own, and the tests' own adb server."""
    monkeypatch.setenv("EDGEKIT_SHELF", str(tmp_path / "shelf"))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb.port))
    return tmp_path / "shelf"


def test_a_phone_that_was_added_is_found_by_name_and_shown(own_shelf, phone, options):
    words = ["add", "my-phone", "--adb", phone.serial, "--quiet"]
    words += ["--set", f"python={sys.executable}", "--set", f"folder={options.folder}"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    profile = read_device_toml(own_shelf / "devices" / "my-phone.toml")
    assert profile.transport == "adb"
    assert profile.options["serial"] == phone.serial
    assert profile.require["cpu_model"] == "Google Pixel Double, Google Protocol Double"
    assert "sudo" not in (own_shelf / "devices" / "my-phone.toml").read_text()
    shown = CliRunner().invoke(command, ["show", "my-phone", "--json"])
    found = json.loads(shown.stdout)
    assert found["environment"]["battery_percent"] == 87
    phone.close()
    problem = listing.describe_device("my-phone").problem
    assert phone.serial in problem.message
    assert problem.hint


def test_two_ways_at_once_are_refused():
    done = CliRunner().invoke(command, ["add", "x", "--adb", "1", "--ssh", "pi@board"])
    assert "--ssh and --adb" in str(done.exception)


def test_the_tool_is_meant_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert adb_options("1", {"benchmark": "tool"})["benchmark"] == str(tmp_path / "tool")


@pytest.mark.parametrize("name", ["pixel-8", "pixel-8-gpu", "galaxy-s24"])
def test_the_profiles_of_phones_can_be_read(name):
    from edgekit.transports.adb.options import read_options

    folder = Path(__file__).parents[3] / "devices"
    profile = read_device_toml(folder / f"{name}.toml")
    assert read_options(profile).benchmark.is_absolute()
    assert profile.runtime_for("tflite") == "benchmark-model"
