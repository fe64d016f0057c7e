"""Which phone is meant, and what keeps one from being asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.errors import DeviceError
from edgekit.job import Job
from edgekit.transports.adb import AdbTransport
from edgekit.transports.adb.client import refuse_state
from edgekit.transports.adb.options import Options


@pytest.fixture
def ask(adb):
    """Ask what is there, and return the environment."""

    def ask(**changes):
        transport = AdbTransport(replace(Options(port=adb.port, python="python3"), **changes))
        try:
            return transport.run(Job("probe")).environment
        finally:
            transport.close()

    return ask


def test_no_phone(ask):
    with pytest.raises(DeviceError, match="no phone is attached") as caught:
        ask()
    assert "USB debugging" in caught.value.hint


def test_the_only_phone_needs_no_serial(ask, phone, options):
    found = ask(python=options.python, folder=options.folder)
    assert found["host"] == phone.serial


def test_of_several_phones_one_must_be_named(ask, attach, monkeypatch, options):
    attach("another")
    attach("a third")
    with pytest.raises(DeviceError, match="3 phones are attached, and none was named") as caught:
        ask()
    assert any(options.serial in line for line in caught.value.details)
    monkeypatch.setenv("ANDROID_SERIAL", options.serial)
    assert ask(python=options.python, folder=options.folder)["host"] == options.serial


def test_a_phone_that_does_not_know_this_computer(ask, attach):
    stranger = attach(authorized=False, state="unauthorized")
    with pytest.raises(DeviceError, match="does not know this computer") as caught:
        ask(serial=stranger.serial)
    assert "on the phone's screen" in caught.value.hint


def test_a_phone_that_is_offline(ask, attach, adb, wait_for):
    phone = attach()
    phone.refusing = True
    phone.cut()
    wait_for(lambda: f"{phone.serial}\toffline" in adb("devices").stdout)
    with pytest.raises(DeviceError, match=r"does not answer adb \(offline\)"):
        ask(serial=phone.serial)


def test_a_phone_that_is_not_the_one_attached(ask, phone):
    with pytest.raises(DeviceError, match="phone 39281FDJH0 is not attached") as caught:
        ask(serial="39281FDJH0")
    assert f"attached: {phone.serial} (device)" in caught.value.details


def test_a_phone_on_the_network_is_connected_to(ask, phone, options, adb):
    adb("disconnect", phone.serial)
    found = ask(serial=phone.serial, python=options.python, folder=options.folder)
    assert found["host"] == phone.serial


@pytest.mark.parametrize(
    ("state", "hint"),
    [("no permissions (missing udev rules?)", "udev rules"), ("recovery", "adb reboot")],
)
def test_every_other_state_says_what_helps(state, hint):
    with pytest.raises(DeviceError) as caught:
        refuse_state("39281FDJH0", state)
    assert hint in caught.value.hint


def test_without_adb_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("edgekit.transports.adb.client._PLACES", ())
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    transport = AdbTransport(Options(python="python3"))
    with pytest.raises(DeviceError, match="adb is not installed on this machine") as caught:
        transport.run(Job("probe"))
    transport.close()
    assert "apt-get install adb" in caught.value.hint


def test_what_a_phone_prints_without_end_is_cut_off(ask, phone, options):
    liar = phone.place / "python"
    liar.write_text("#!/bin/sh\nexec yes '\\377 no end'\n")
    liar.chmod(0o755)
    with pytest.raises(DeviceError, match="printed more than"):
        ask(serial=phone.serial, python=str(liar), folder=options.folder)


def test_an_answer_that_is_no_text_is_refused(ask, phone, options):
    liar = phone.place / "python"
    liar.write_text("#!/bin/sh\ncat > /dev/null; printf '\\377\\376\\000{\\n'\n")
    liar.chmod(0o755)
    with pytest.raises(DeviceError, match="there ended with status 0"):
        ask(serial=phone.serial, python=str(liar), folder=options.folder)
