"""A phone without a Python: benchmark_model's stand-in, run by a protocol double of the daemon."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import DeviceError, FileError, RuntimeFault
from edgekit.job import Job, Timing
from edgekit.transports.adb.benchmark import RUNTIME, BenchmarkTransport
from edgekit.transports.adb.options import Options


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    """The stand-in, as a program."""
    path = tmp_path_factory.mktemp("tool") / "benchmark model"
    text = Path(__file__).with_name("standin.py").read_text()
    path.write_text(f"#!{sys.executable}\n{text}")
    return path


@pytest.fixture
def phone(attach):
    return attach()


@pytest.fixture
def bare(adb, phone, tool):
    options = Options(
        serial=phone.serial,
        port=adb.port,
        benchmark=tool,
        folder=str(phone.place / "data" / "edgekit"),
        patience_s=20.0,
        where="phone.toml",
    )
    transport = BenchmarkTransport(options)
    yield transport
    transport.close()


@pytest.fixture
def job(tiny_models):
    def make(model="float.tflite", **changes):
        values = {
            "action": "measure",
            "runtime": RUNTIME,
            "model": str(tiny_models / model),
            "timing": Timing(warmup_calls=3, seconds=0.0, min_calls=4),
            **changes,
        }
        return Job(**values)

    return make


def test_every_sample_is_one_call_that_the_tool_gave_singly(bare, phone, job):
    result = bare.run(job())
    found = result.measurement
    assert found.blocks == (2, 2)
    assert len(found.samples_ns) == 4
    assert all(ns % 1000 == 0 for ns in found.samples_ns)
    assert set(found.cpu_ns) == set(found.call_ns) == {0}
    assert found.load_ns > 0
    assert found.first_ns > 0
    assert found.peak_rss_bytes > 2**20
    assert "two calls of each process" in found.environment["timed_by"]
    assert found.environment["device_model"] == "Google Pixel Double"
    asked = [command for command in phone.commands if "--num_runs=2" in command]
    assert len(asked) == 3  # one to open, one a block
    assert all("--warmup_runs=3" in command for command in asked)


def test_tool_and_model_are_pushed_once_and_again_when_damaged(bare, phone, job, tiny_models):
    bare.run(job())
    assert len(phone.pushed) == 2
    again = BenchmarkTransport(bare.options)
    again.run(job())
    assert len(phone.pushed) == 2
    (lying,) = (phone.place / "data").rglob("float.tflite")
    lying.write_bytes(b"damaged")
    third = BenchmarkTransport(bare.options)
    third.run(job())
    for each in (again, third):
        each.close()
    assert len(phone.pushed) == 3
    (lying,) = (phone.place / "data").rglob("float.tflite")
    assert lying.read_bytes() == (tiny_models / "float.tflite").read_bytes()


def test_nodes_of_the_default_delegate_are_read_from_the_log(bare, job):
    placement = bare.run(job()).placement
    assert placement.ops >= placement.delegated > 0
    assert str(placement).startswith("XNNPACK ")


def test_without_a_delegate_the_kernels_ran_the_nodes(bare, job):
    placement = bare.run(job(delegate="none")).placement
    assert placement.delegated == 0
    assert list(placement.executors) == ["LiteRT kernels"]


def test_a_delegate_that_was_asked_for_and_applied_is_fine(bare, job):
    assert bare.run(job(delegate="xnnpack")).placement.delegated > 0


@pytest.mark.parametrize(
    ("delegate", "told"),
    [
        ("gpu", r"'gpu' was asked for, and benchmark_model did not use it"),
        ("nnapi", r"the NNAPI delegate was asked for and runs no part of the model"),
        ("nnapi:enn", r"does not know --nnapi_accelerator_name=enn"),
        ("hexagon", r"benchmark_model has no delegate 'hexagon'"),
    ],
)
def test_a_delegate_that_was_asked_for_and_not_used_is_an_error(bare, job, delegate, told):
    with pytest.raises(DeviceError, match=told):
        bare.run(job(delegate=delegate))


def test_a_crash_of_the_tool_is_a_fault(bare, phone, job):
    phone.environment["STANDIN"] = "crash"
    with pytest.raises(RuntimeFault, match=r"float.tflite: the process was ended by signal 6"):
        bare.run(job())


def test_a_tool_that_prints_no_timings_is_an_error(bare, phone, job):
    phone.environment["STANDIN"] = "silent"
    with pytest.raises(DeviceError, match="printed no timings"):
        bare.run(job())


def test_outputs_and_passes_are_not_to_be_had(bare, job, tmp_path):
    asked = job(action="run", inputs=str(tmp_path), outputs=str(tmp_path / "y.npy"))
    with pytest.raises(DeviceError, match="tells times, and no outputs"):
        bare.run(asked)
    with pytest.raises(DeviceError, match="no pass 'memory'"):
        bare.run(job(action="memory"))


def test_a_tool_that_is_not_there_says_where_to_name_it(bare, tmp_path, job):
    without = BenchmarkTransport(replace(bare.options, benchmark=tmp_path / "none"))
    with pytest.raises(FileError, match="no such file"):
        without.run(job())
    without.close()


def test_a_phone_that_was_gone_for_a_moment_is_measured_on(bare, phone, job):
    with bare.session(job()) as session:
        session.block(0.0, 2)
        phone.cut()
        session.block(0.0, 2)
        assert session.measurement().blocks == (2, 2)


def test_the_probe_knows_the_tool_by_its_digest(bare):
    found = bare.run(Job("probe")).environment
    assert found["runtimes"][RUNTIME]["version"].startswith("sha256 ")
    assert found["system"] == "Android"
