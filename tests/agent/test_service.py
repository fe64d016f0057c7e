from __future__ import annotations

import numpy as np
import pytest

from edgekit.agent.service import perform
from edgekit.errors import FileError, UsageError
from edgekit.job import Job, Timing

QUICK = Timing(warmup_calls=5, seconds=0.01, min_calls=8)


@pytest.mark.parametrize(
    ("runtime", "file"),
    [("litert", "float.tflite"), ("onnxruntime", "float.onnx"), ("openvino", "float.xml")],
)
def test_a_measurement_holds_every_part(tiny_models, runtime, file):
    result = perform(
        Job(action="measure", runtime=runtime, model=str(tiny_models / file), timing=QUICK)
    )
    found = result.measurement
    assert len(found.samples_ns) >= 8
    assert len(found.warmup_ns) == 5
    assert min(found.samples_ns) > 0
    assert all(whole >= alone for whole, alone in zip(found.call_ns, found.samples_ns, strict=True))
    assert found.load_ns > 0
    assert found.first_ns > 0
    assert found.peak_rss_bytes > 10 << 20
    assert found.placement.ops > 0
    assert found.environment["threads"] == 1
    assert found.environment["runtime"] == runtime


def test_a_measurement_takes_its_input_from_a_file(tiny_models, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 8, 8, 3), np.float32))
    job = Job(
        action="measure",
        runtime="litert",
        model=str(tiny_models / "float.tflite"),
        inputs=str(tmp_path / "x.npy"),
        timing=QUICK,
    )
    assert perform(job).measurement is not None


def test_a_probe_says_what_is_installed_and_why_the_rest_is_not():
    runtimes = perform(Job(action="probe")).environment["runtimes"]
    assert set(runtimes) == {"litert", "tflite-runtime", "onnxruntime", "openvino"}
    assert runtimes["onnxruntime"]["version"]
    assert "error" in runtimes["tflite-runtime"]


def test_an_unknown_runtime_and_an_absent_model_are_named(tmp_path):
    with pytest.raises(UsageError, match="unknown runtime 'tvm'"):
        perform(Job(action="measure", runtime="tvm", model="m"))
    with pytest.raises(FileError, match="no such model file"):
        perform(Job(action="measure", runtime="litert", model=str(tmp_path / "none.tflite")))
