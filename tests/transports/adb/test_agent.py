"""A phone with a Python, over the real adb client, against a protocol double of its daemon."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgekit.errors import DeviceError, DeviceLostError, RuntimeFault
from edgekit.job import Job, Timing
from edgekit.transports.adb import AdbTransport
from edgekit.transports.connect import connect
from edgekit.transports.local import LocalTransport


def test_outputs_from_a_phone_are_those_of_this_machine(transport, tiny_models, tmp_path):
    samples = tmp_path / "x.npy"
    np.save(samples, np.random.default_rng(3).random((5, 8, 8, 3), np.float32))

    def job(name):
        return Job(
            action="run",
            runtime="litert",
            model=str(tiny_models / "float.tflite"),
            inputs=str(samples),
            outputs=str(tmp_path / f"{name}.npy"),
        )

    there, here = transport.run(job("there")), LocalTransport().run(job("here"))
    assert there.samples == here.samples == 5
    assert there.placement == here.placement
    assert (tmp_path / "there.npy").read_bytes() == (tmp_path / "here.npy").read_bytes()


def test_agent_model_and_samples_are_pushed_once(transport, options, phone, job):
    transport.run(job("run"))
    first = list(phone.pushed)
    assert len(first) == 3  # agent, model, samples
    transport.run(job("run"))
    again = type(transport)(options)
    again.run(job("run"))
    again.close()
    assert phone.pushed == first


def test_what_was_pushed_in_part_is_pushed_again(transport, options, phone, job, tmp_path):
    model = tmp_path / "large.bin"
    model.write_bytes(bytes(range(256)) * 8192)
    transport.run(Job("probe"))
    phone.cut_at = phone.bytes_in + (1 << 20)
    assert transport.run(job("run", model=str(model))).samples == 20
    whole = [path for path in phone.pushed if path.endswith("large.bin")]
    assert len(whole) == 2
    (found,) = [
        path
        for path in (phone.place / "data/local/tmp/edgekit/files").rglob("large.bin")
        if not path.parent.name.startswith(".part-")
    ]
    assert found.read_bytes() == model.read_bytes()


def test_answers_say_what_the_phone_says_of_itself(transport, phone, job):
    found = transport.run(Job("probe")).environment
    assert found["cpu_model"] == "Google Pixel Double, Google Protocol Double"
    assert found["device_model"] == "Google Pixel Double"
    assert (found["android"], found["abi"]) == ("16 DBL1.000000.001", "arm64-v8a")
    assert (found["battery_percent"], found["battery_c"]) == (87, 29.1)
    assert found["thermal_status"] == "light"
    # Two phones of one model are two machines, though the kernels of both call them localhost.
    assert found["host"] == found["nodename"] == phone.serial
    measured = transport.run(job(timing=Timing(warmup_calls=1, seconds=0.01, min_calls=2)))
    assert measured.measurement.environment["thermal_status"] == "light"


def test_a_session_keeps_its_model_loaded_and_says_where_it_was(transport, phone, job):
    with transport.session(job(timing=Timing(warmup_calls=1))) as session:
        session.block(0.001, 2)
        session.block(0.001, 2)
        measured = session.measurement()
    assert len(measured.blocks) == 2
    assert measured.environment["device_model"] == "Google Pixel Double"
    assert len(list((phone.place / "packages").glob("calls-*"))) == 1


def test_a_phone_that_is_gone_for_a_moment_goes_on_where_it_was(transport, phone, job):
    with transport.session(job(timing=Timing(warmup_calls=1))) as session:
        session.block(0.001, 2)
        phone.cut()
        session.block(0.001, 2)
        assert len(session.measurement().blocks) == 2
    assert len(list((phone.place / "packages").glob("calls-*"))) == 1


def test_a_phone_that_stays_away_is_one_clear_error(options, phone, job):
    transport = AdbTransport(replace(options, patience_s=1.0))
    try:
        with transport.session(job(timing=Timing(warmup_calls=1))) as session:
            phone.close()
            with pytest.raises(DeviceLostError, match=r"did not come back within 1 s") as caught:
                session.block(0.001, 2)
        assert phone.serial in caught.value.message
    finally:
        transport.close()


def test_a_phone_without_that_python_says_how_to_name_another(options):
    transport = AdbTransport(replace(options, python="/data/local/tmp/no-python"))
    with pytest.raises(DeviceError, match=r"no /data/local/tmp/no-python there") as caught:
        transport.run(Job("probe"))
    transport.close()
    assert "[adb]" in caught.value.hint


def test_a_full_phone_says_so(transport, phone, job):
    transport.run(Job("probe"))
    phone.full = True
    with pytest.raises(DeviceError, match=r"No space left on device") as caught:
        transport.run(job("run"))
    assert "free some space" in caught.value.hint


def test_a_crash_there_is_told_in_the_words_of_the_job(transport, job):
    with pytest.raises(RuntimeFault, match=r"crashing: measure a model.bin: .*SIGSEGV"):
        transport.run(job(runtime="crashing"))


def test_profiles_of_another_phone_are_refused(options, phone, tmp_path):
    profile = tmp_path / "other.toml"
    profile.write_text(
        f'transport = "adb"\n[adb]\nserial = "{phone.serial}"\nport = {options.port}\n'
        f'python = "{options.python}"\nfolder = "{options.folder}"\n'
        '[require]\ncpu_model = "Samsung*"\n'
    )
    with pytest.raises(DeviceError, match=r"cpu_model is Google Pixel Double"):
        connect(str(profile))


def test_a_python_that_claims_other_outputs_cannot_write_elsewhere(transport, options, phone, job):
    """What the phone calls an output is compared with what the job writes."""
    transport.run(Job("probe"))
    liar = phone.place / "liar.py"
    liar.write_text(
        "import json, sys\n"
        'if "--relay" not in sys.argv:\n'
        "    import runpy\n"
        "    del sys.argv[0]\n"
        '    runpy.run_path(sys.argv[0], run_name="__main__")\n'
        "    raise SystemExit\n"
        'print(json.dumps({"runner": 1, "nodename": "liar"}), flush=True)\n'
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        '    if "number" in asked:\n'
        f'        entry = {{"name": "../../{options.serial}", "bytes": 1, "sha256": "0" * 64}}\n'
        '        result = {"version": 1, "ok": True, "environment": {}, "samples": 1}\n'
        '        result |= {"inputs": [], "outputs": []}\n'
        '        told = {"number": asked["number"], "answer": result, "files": [entry]}\n'
        "        print(json.dumps(told), flush=True)\n"
    )
    python = phone.place / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = - ] && exec {sys.executable} "$@"\n'
        f'exec {sys.executable} {liar} "$@"\n'
    )
    python.chmod(0o755)
    lied_to = AdbTransport(replace(options, python=str(python)))
    with pytest.raises(DeviceError, match=r"is not what the job writes"):
        lied_to.run(job("run"))
    lied_to.close()


def test_where_no_socket_may_lie_in_a_folder_a_phone_works_too(transport, phone, job):
    """Android's policy refuses sockets below /data/local/tmp; here Python refuses them."""
    (phone.place / "packages" / "sitecustomize.py").write_text(
        "import socket\n"
        "class Refusing(socket.socket):\n"
        "    def bind(self, address):\n"
        '        if isinstance(address, str) and not address.startswith("\\0"):\n'
        '            raise PermissionError(13, "Permission denied")\n'
        "        super().bind(address)\n"
        "socket.socket = Refusing\n"
    )
    with transport.session(job(timing=Timing(warmup_calls=1))) as session:
        (run,) = (phone.place / "data/local/tmp/edgekit/runs").iterdir()
        assert not (run / "socket").exists()
        assert (run / "socket-name").read_text().startswith("edgekit-")
        session.block(0.001, 2)
        phone.cut()
        session.block(0.001, 2)
        assert len(session.measurement().blocks) == 2


def test_single_threads_go_to_the_cores_that_the_profile_names(options, job):
    transport = AdbTransport(replace(options, cores=(0,)))
    probed = transport.run(Job("probe")).environment
    assert probed["affinity"] == [0]
    timing = Timing(warmup_calls=1, seconds=0.01, min_calls=2)
    free = transport.run(job(timing=timing)).environment
    assert free["affinity"] == sorted(os.sched_getaffinity(0))
    assert transport.run(job(timing=timing, cpu=0)).environment["affinity"] == [0]
    transport.close()
