"""A known model tells a device that computes from one that does not."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit import shelf
from edgekit.artifact import Artifact
from edgekit.cli import main
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.transports.local import LocalTransport
from edgekit.verbs import proving
from edgekit.verbs.proving import check_device

KNOWN = sorted((shelf.builtin() / "devices" / "known").glob("*/manifest.json"))


@pytest.fixture
def only(monkeypatch):
    """Try these files only."""

    def choose(*names):
        monkeypatch.setattr(proving, "_files_for", lambda _device: names)

    return choose


def verdicts(found):
    return {step.what: step.verdict for step in found.steps}


def test_the_known_files_are_whole_and_of_every_target():
    labels = {Artifact.open(manifest.parent).label for manifest in KNOWN}
    assert len(labels) == len(KNOWN) == 7
    assert {"tflite-fp32", "onnx-int8", "openvino-int8", "tflite-int8-int8"} <= labels


def test_this_machine_computes_what_is_known_and_its_clock_is_true():
    found = check_device("local-cpu")
    assert set(verdicts(found).values()) == {"ok"}
    assert len(found.steps) == 1 + 6 + 3
    assert found.error is None
    json.dumps(found.to_json(), allow_nan=False)


def test_wrong_answers_are_found_out(only, monkeypatch):
    only("tflite-fp32", "onnx-int8")
    run = LocalTransport._run

    def wrong(self, job, timeout_s):
        result = run(self, job, timeout_s)
        if job.action == "run":
            file = Path(job.outputs)
            np.save(file, np.roll(np.load(file), 1, axis=-1))
        return result

    monkeypatch.setattr(LocalTransport, "_run", wrong)
    found = check_device("local-cpu")
    assert verdicts(found)["computes tflite-fp32"] == "failed"
    assert verdicts(found)["computes onnx-int8"] == "failed"
    assert found.error.message == "local-cpu: 2 of 4 checks failed"
    assert found.error.exit_code == 1


def test_a_clock_that_tells_more_than_passed_is_found_out(only, monkeypatch):
    only("tflite-fp32")
    session = LocalTransport.session

    @contextmanager
    def slow(self, job):
        with session(self, job) as opened:
            told = opened.measurement

            def doubled():
                one = told()
                return replace(one, call_ns=tuple(3 * ns for ns in one.call_ns))

            opened.measurement = doubled
            yield opened

    monkeypatch.setattr(LocalTransport, "session", slow)
    found = check_device("local-cpu")
    assert verdicts(found)["times tflite-fp32"] == "failed"
    assert "by its clock" in found.error.details[0]


def test_a_runtime_that_is_not_there_is_left_out_and_one_that_crashes_is_not(only, monkeypatch):
    only("tflite-int8", "onnx-int8")
    run = LocalTransport._run

    def partial(self, job, timeout_s):
        if job.action == "probe":
            result = run(self, job, timeout_s)
            runtimes = {**result.environment["runtimes"], "onnxruntime": {"error": "not here"}}
            return replace(result, environment={**result.environment, "runtimes": runtimes})
        if job.runtime == "onnxruntime":
            raise DeviceError("no")
        raise RuntimeFault("litert: run model.tflite: it was ended by SIGSEGV")

    monkeypatch.setattr(LocalTransport, "_run", partial)
    found = check_device("local-cpu")
    assert verdicts(found) == {
        "answers": "ok", "computes tflite-int8": "failed", "computes onnx-int8": "left out",
    }  # fmt: skip
    only("onnx-int8")
    assert check_device("local-cpu").error.message == "local-cpu: nothing could be tried there"


def test_a_device_that_is_not_there_fails_at_once(tmp_path, capsys):
    (tmp_path / "gone.toml").write_text('transport = "local"\npython = "/nowhere/python"\n')
    assert main(["devices", "check", str(tmp_path / "gone.toml")]) == 1
    assert capsys.readouterr().err.count("error:") == 1


def test_the_command_prints_a_table_and_ends_with_the_verdict(only, monkeypatch, capsys):
    only("tflite-int8")
    assert main(["devices", "check", "local-cpu", "-q"]) == 0
    assert "bit for bit what is known" in capsys.readouterr().out
    monkeypatch.setattr(proving, "_SAME_LABEL", 1.1)
    assert main(["devices", "check", "local-cpu", "--json"]) == 1
    told = capsys.readouterr()
    assert not json.loads(told.out)["passed"]
    assert "error: local-cpu: 1 of 2 checks failed" in told.err
