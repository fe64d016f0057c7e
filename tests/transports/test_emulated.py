"""An arm64 root under qemu: what is refused without one, and what it computes with one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import read_device_toml
from edgekit.errors import DeviceError
from edgekit.job import Job
from edgekit.measuring.contenders import Asked
from edgekit.store import Store
from edgekit.transports.connect import Device, find_profile
from edgekit.transports.emulated import EmulatedTransport
from edgekit.transports.local import LocalTransport
from edgekit.verbs.profile import profile

ROOT = Path(os.environ.get("EDGEKIT_ARM64_ROOT", "~/.cache/edgekit/arm64")).expanduser()
needs_root = pytest.mark.skipif(
    not (ROOT / "usr" / "bin" / "python3").is_file(),
    reason=f"no arm64 root in {ROOT}: devices/emulated-arm64.sh makes one (EDGEKIT_ARM64_ROOT)",
)


def job(model, folder, runtime="litert", **changes):
    np.save(folder / "inputs.npy", np.random.default_rng(2).random((3, 8, 8, 3), np.float32))
    told = {
        "action": "run", "runtime": runtime, "model": str(model),
        "inputs": str(folder / "inputs.npy"), "outputs": str(folder / "outputs.npy"),
    }  # fmt: skip
    return Job(**{**told, **changes})


@pytest.mark.parametrize("action", ["measure", "memory", "energy"])
def test_no_time_is_measured_under_an_emulator(tmp_path, tiny_models, action):
    transport = EmulatedTransport(tmp_path)
    with pytest.raises(DeviceError, match="no latency from here: emulated"):
        transport.run(job(tiny_models / "float.tflite", tmp_path, action=action))
    with pytest.raises(DeviceError, match="no latency from here: emulated"):
        transport.session(job(tiny_models / "float.tflite", tmp_path, action="measure"))


def test_a_root_that_is_not_there_is_told_with_what_makes_one(tmp_path):
    file = tmp_path / "board.toml"
    file.write_text('transport = "emulated-arm64"\n[emulated-arm64]\nroot = "arm"\n')
    transport = EmulatedTransport.from_profile(read_device_toml(file))
    with pytest.raises(DeviceError, match=r"arm: no arm64 root: proc/cpuinfo") as caught:
        transport.run(Job(action="probe"))
    assert caught.value.limit == f"emulated-arm64.root in {file}"
    assert "emulated-arm64.sh" in caught.value.hint


def test_a_misspelt_option_is_refused(tmp_path):
    file = tmp_path / "board.toml"
    file.write_text('transport = "emulated-arm64"\n[emulated-arm64]\nrot = "arm"\n')
    with pytest.raises(DeviceError, match="unknown key rot"):
        EmulatedTransport.from_profile(read_device_toml(file))


@pytest.mark.arm64
@needs_root
def test_int8_on_arm64_is_bit_identical_and_float_close(tmp_path, tiny_models):
    board = EmulatedTransport(ROOT)
    for name, exact in (("int8.tflite", True), ("float.tflite", False)):
        found = {}
        for where, transport in (("arm64", board), ("here", LocalTransport())):
            folder = tmp_path / where / name
            folder.mkdir(parents=True)
            asked = job(tiny_models / name, folder)
            if exact:
                rng = np.random.default_rng(3)
                np.save(asked.inputs, rng.integers(-128, 128, (3, 8, 8, 3), dtype=np.int8))
            result = transport.run(asked)
            assert result.placement.delegated == result.placement.ops
            found[where] = (np.load(asked.outputs), result)
        assert found["arm64"][1].environment["machine"] == "aarch64"
        assert found["arm64"][1].environment["emulator"].startswith("qemu-user")
        difference = np.abs(found["arm64"][0].astype(np.float64) - found["here"][0]).max()
        assert difference == 0 if exact else difference < 1e-5


@pytest.mark.arm64
@needs_root
def test_a_dropped_delegate_under_qemu_is_an_error(tmp_path, tiny_models, monkeypatch):
    board = EmulatedTransport(ROOT)
    assert board.run(job(tiny_models / "float.tflite", tmp_path)).placement.delegated
    done = board.run(job(tiny_models / "float.tflite", tmp_path, delegate="none"))
    assert not done.placement.delegated
    # The same answer to a job that did not ask for it is the silent fallback.
    with pytest.raises(DeviceError, match="LiteRT dropped XNNPACK under qemu"):
        board._refuse_dropped(job(tiny_models / "float.tflite", tmp_path), done)


@pytest.mark.arm64
@needs_root
def test_a_folder_of_scratch_is_gone_when_the_job_is_done(tmp_path, tiny_models):
    EmulatedTransport(ROOT).run(job(tiny_models / "float.tflite", tmp_path))
    assert not list((ROOT / "tmp").glob("edgekit-*"))


def test_a_profile_on_it_begins_no_run(make_artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))
    profile_ = replace(find_profile("emulated-arm64"), options={})
    board = Device(profile_, EmulatedTransport(tmp_path), {"affinity": [0]})
    monkeypatch.setattr("edgekit.transports.connect.connect", lambda _: board)
    asked = [Asked(make_artifact().path)]
    for sustained_s in (None, 60.0):
        with pytest.raises(DeviceError, match="no latency from here"):
            profile(asked, device="emulated-arm64", sustained_s=sustained_s)
    with Store.open() as store:
        assert store.find(finished=None) == []
