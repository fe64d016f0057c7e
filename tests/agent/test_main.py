from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edgekit.job import Job, parse_result


def agent(*arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "edgekit.agent", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_on_stdin_is_answered_on_stdout():
    done = agent(stdin=json.dumps(Job(action="probe").to_json()))
    assert done.returncode == 0
    assert "onnxruntime" in parse_result(done.stdout).environment["runtimes"]


def test_a_job_in_a_file_is_answered_on_stdout(tmp_path):
    (tmp_path / "job.json").write_text(json.dumps(Job(action="probe").to_json()))
    done = agent(str(tmp_path / "job.json"))
    assert parse_result(done.stdout).environment["system"]


@pytest.mark.parametrize(
    ("stdin", "kind"),
    [
        ("", "UsageError"),
        ('{"version": 99, "action": "probe"}', "UsageError"),
        (json.dumps(Job(action="measure", runtime="litert", model="none").to_json()), "FileError"),
    ],
)
def test_a_job_that_fails_is_one_json_document_and_status_1(stdin, kind):
    done = agent(stdin=stdin)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["error"]["type"]) == (False, kind)
    assert "Traceback" not in done.stderr


def test_a_job_file_that_is_not_there_is_named(tmp_path):
    done = agent(str(tmp_path / "none.json"))
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "FileError"
    assert "none.json" in error["message"]


def test_what_runtimes_print_never_reaches_the_answer(tiny_models):
    # LiteRT and OpenVINO write from C++ and from Python.
    for runtime, file in (("litert", "float.tflite"), ("openvino", "float.xml")):
        job = Job(action="measure", runtime=runtime, model=str(tiny_models / file))
        done = agent(stdin=json.dumps(job.to_json()))
        assert len(done.stdout.splitlines()) == 1
        assert parse_result(done.stdout).measurement is not None
