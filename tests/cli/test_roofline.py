from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from edgekit.agent import machine
from edgekit.cli import main
from edgekit.roofline.limits import Limits, Machine, Rate, Unavailable

PEAK = Rate(1e11, (0.9e11, 1.1e11), 7, "onnxruntime 1.0, Conv")
MOVED = Rate(5e10, (4.5e10, 5.5e10), 7, "numpy 2.0, copy")
NONE = Unavailable("no library with int8 kernels")


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """A store of the test's own, and limits that need not be measured; none for 8 bits."""
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "measurements.sqlite"))
    monkeypatch.chdir(tmp_path)

    def measure(threads, **_):
        limits = {n: Limits(n, PEAK, NONE, {2**28: MOVED}, MOVED, {}) for n in threads}
        environment = {**machine.describe(), "cpu_model": "Processor $x$ <b>"}
        return Machine(environment, {}, limits, "2026-01-01T00:00:00Z")

    monkeypatch.setattr("edgekit.verbs.roofline.measure_machine", measure)


def roofline(*arguments):
    return main(["roofline", "--rounds", "1", *arguments])


def test_limits_are_printed_with_intervals_and_what_is_unavailable_says_so(capsys):
    assert roofline("-q") == 0
    printed = capsys.readouterr().out
    assert "Processor $x$ <b>, limits of 2026-01-01T00:00:00Z" in printed
    assert "100.0 GFLOP [90.0, 110.0]" in printed
    assert "50.0 GB [45.0, 55.0]" in printed
    assert "unavailable: no library with int8 kernels" in printed
    assert " 0.0 G" not in printed


def test_one_row_shows_work_limit_latency_and_share_of_an_artifact(make_artifact, capsys):
    make_artifact()
    make_artifact(precision="int8")
    assert roofline("build/tiny", "-q") == 0
    lines = capsys.readouterr().out.splitlines()
    (real,) = [line for line in lines if line.startswith("tiny tflite-fp32")]
    (int8,) = [line for line in lines if line.startswith("tiny tflite-int8")]
    assert " float32 " in real
    assert real.count("[") == 3  # limit, latency, share
    assert "unavailable: no library" in int8
    assert int8.rstrip().endswith("—")


def test_json_is_one_document_with_every_operation(make_artifact, capsys):
    make_artifact()
    assert roofline("build/tiny", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["machine"]["limits"][0]["int8"] == {"unavailable": NONE.reason}
    (row,) = document["rows"]
    assert row["macs"] == sum(one["macs"] for one in row["operations"]) == 6 * 6 * 8 * 27 + 32
    assert row["measured"]["processes"] == 1
    assert row["share"]["value"] > 0


@pytest.mark.parametrize("name", ["roofline.svg", "roofline.PNG"])
def test_a_picture_is_drawn_small_and_whole(make_artifact, tmp_path, name):
    make_artifact(model="a $name$ <script>")
    assert roofline("build/tiny", "-q", "--picture", name) == 0
    content = (tmp_path / name).read_bytes()
    assert len(content) < 100_000
    if name.endswith("svg"):
        text = "".join(ET.fromstring(content).itertext())
        assert "a $name$ <script> tflite-fp32" in text
        assert "Processor $x$ <b>" in text
        assert b"<script" not in content
    else:
        assert content.startswith(b"\x89PNG")


def test_the_machine_alone_can_be_drawn(tmp_path):
    assert roofline("-q", "--picture", "machine.svg") == 0
    assert (tmp_path / "machine.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["nothing"], 1, "error: nothing: no such artifact"),
        (["--picture", "x.gif"], 2, "error: --picture x.gif: .gif is no format for it"),
        (["--threads", "0"], 2, "error:"),
        (["--run", "none.json"], 1, "error: none.json: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, arguments, status, complaint):
    assert roofline("-q", *arguments) == status
    printed = capsys.readouterr()
    assert printed.err.startswith(complaint)
    assert printed.out == ""
