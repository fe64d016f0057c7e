"""Phones for tests: protocol doubles of adbd behind the real `adb` client and a server of its own.

None of it proves anything about Android itself; see `double.py`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.job import Job
from edgekit.transports.adb import AdbTransport
from edgekit.transports.adb.options import Options

_spec = importlib.util.spec_from_file_location("adbd_double", Path(__file__).with_name("double.py"))
double = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(double)

GETPROP = """\
#!/bin/sh
case "$1" in
  ro.product.manufacturer) echo Google;;
  ro.product.model) echo Pixel Double;;
  ro.soc.manufacturer) echo Google;;
  ro.soc.model) echo Protocol Double;;
  ro.build.version.release) echo 16;;
  ro.build.id) echo DBL1.000000.001;;
  ro.product.cpu.abi) echo arm64-v8a;;
esac
"""
DUMPSYS = """\
#!/bin/sh
case "$1" in
  battery)
    echo 'Current Battery Service state:'; echo '  AC powered: false'; echo '  USB powered: true'
    echo '  level: 87'; echo '  temperature: 291';;
  thermalservice) printf 'IsStatusOverride: false\\nThermal Status: 1\\n';;
esac
"""


def wait_until(condition, seconds=20.0):
    """Until something is so that has no event to wait for."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def adb(tmp_path_factory):
    """The real adb client and a server of its own: a call of it, and the server's port."""
    if sys.platform != "linux":
        pytest.skip("the protocol double runs a phone's commands here: these tests need Linux")
    if shutil.which("adb") is None:
        pytest.skip("adb is not installed: apt-get install adb")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    home = tmp_path_factory.mktemp("adb-home")
    environment = {**os.environ, "HOME": str(home)}

    def call(*words):
        return subprocess.run(
            ["adb", "-P", str(port), *words],
            capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    call("start-server")
    call.port = port
    yield call
    call("kill-server")


@pytest.fixture(autouse=True)
def no_phone_of_whoever_runs_the_tests(monkeypatch):
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    monkeypatch.delenv("ANDROID_ADB_SERVER_PORT", raising=False)


@pytest.fixture
def attach(adb, tmp_path):
    """Attach a phone's double, and detach all at the end."""
    attached = []

    def make(name="phone", *, state="device", **changes):
        place = tmp_path / name
        (place / "bin").mkdir(parents=True)
        for tool, text in (("getprop", GETPROP), ("dumpsys", DUMPSYS)):
            (place / "bin" / tool).write_text(text)
            (place / "bin" / tool).chmod(0o755)
        phone = double.Adbd(place, **changes)
        attached.append(phone)
        adb("connect", phone.serial)
        wait_until(lambda: f"{phone.serial}\t{state}" in adb("devices").stdout)
        return phone

    yield make
    for phone in attached:
        adb("disconnect", phone.serial)
        phone.close()


@pytest.fixture
def phone(attach):
    """One attached double, with edgekit's tests' runtimes for its Python."""
    phone = attach()
    packages = phone.place / "packages"
    info = packages / "bad_runtimes-1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / "ssh" / "board_runtimes.py", packages)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-runtimes\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[edgekit.runtimes]\ncounting = board_runtimes:Counting\n"
        "crashing = board_runtimes:Crashing\nhanging = board_runtimes:Hanging\n"
    )
    phone.environment["PYTHONPATH"] = str(packages)
    return phone


@pytest.fixture
def options(adb, phone):
    """Options of the double: by its serial, through the tests' own server."""
    return Options(
        serial=phone.serial,
        port=adb.port,
        python=sys.executable,
        folder=str(phone.place / "data" / "local" / "tmp" / "edgekit"),
        patience_s=20.0,
        where="phone.toml",
    )


@pytest.fixture
def transport(options):
    transport = AdbTransport(options)
    yield transport
    transport.close()


@pytest.fixture
def job(tmp_path):
    """Make a job for the runtime `counting`; a model is any file."""
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


@pytest.fixture
def wait_for():
    """Wait until something is so that has no event to wait for."""
    return wait_until
