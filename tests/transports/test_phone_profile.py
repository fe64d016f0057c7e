"""A phone as a profile: what it may say, how it is listed, and its link as a picture."""

from __future__ import annotations

import pytest

from edgekit.device import read_device_toml
from edgekit.errors import DeviceError
from edgekit.job import Job
from edgekit.transports.phone import PhoneTransport, qr_code
from edgekit.verbs.listing import describe_device


def test_a_list_of_devices_does_not_wait_for_a_phone():
    entry = describe_device("phone")
    assert entry.environment is None
    assert entry.problem.message.startswith("not asked: it answers when a command needs it")


def test_the_code_is_drawn_in_blocks_and_the_link_is_beside_it():
    pytest.importorskip("segno", reason="pip install segno")
    drawn = qr_code("http://192.0.2.7:8000/token/")
    assert len(drawn.splitlines()) >= 12
    assert set(drawn) & set("█▀▄")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("port = 70000", r"phone: port: 70000 is outside 0…65535"),
        ('address = "my-laptop"', r"phone: address: 'my-laptop' is no IP address"),
        ('certificate = "c.pem"', r"phone: certificate: https needs both"),
        ("wait_s = 0", r"phone: wait_s: 0 is outside 1…86400"),
        ("qr = false", r"phone: unknown key qr"),
    ],
)
def test_a_wrong_profile_names_file_key_and_what_is_accepted(tmp_path, table, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(f'transport = "phone"\n[phone]\n{table}\n')
    with pytest.raises(DeviceError, match=rf"mine\.toml: {complaint}"):
        PhoneTransport.from_profile(read_device_toml(path))


def test_nobody_came_is_one_error_that_says_how_long(runtimes):
    with pytest.raises(DeviceError, match="the phone has not opened the page within 1 s"):
        PhoneTransport(wait_s=1.0).run(Job(action="probe"))


def test_a_certificate_that_is_none_is_one_error(runtimes, tmp_path):
    (tmp_path / "page.pem").write_text("no certificate")
    transport = PhoneTransport(certificate=(tmp_path / "page.pem", tmp_path / "page.pem"))
    with pytest.raises(DeviceError, match=r"page\.pem: no certificate and key"):
        transport.run(Job(action="probe"))
