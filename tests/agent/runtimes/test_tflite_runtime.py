"""tflite-runtime in an environment of its own, with numpy 1: the `legacy` extra, really run."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.job import Job
from edgekit.transports.local import LocalTransport

pytestmark = [pytest.mark.slow, pytest.mark.legacy]


@pytest.fixture
def outputs(tiny_models, tmp_path, legacy_python):
    """Outputs of a tiny model for the same samples, by runtime."""
    samples = np.random.default_rng(2).random((5, 8, 8, 3), np.float32)
    np.save(tmp_path / "x.npy", samples)

    def run(runtime, file):
        if file == "int8.tflite":
            np.save(tmp_path / "x.npy", (samples * 255 - 128).astype(np.int8))
        python = legacy_python if runtime == "tflite-runtime" else None
        job = Job(
            action="run",
            runtime=runtime,
            model=str(tiny_models / file),
            inputs=str(tmp_path / "x.npy"),
            outputs=str(tmp_path / "y.npy"),
        )
        result = LocalTransport(python).run(job)
        return np.load(tmp_path / "y.npy"), result

    return run


def test_a_float_model_gives_litert_s_values_on_the_delegate(outputs):
    old, result = outputs("tflite-runtime", "float.tflite")
    np.testing.assert_allclose(old, outputs("litert", "float.tflite")[0], atol=1e-5)
    assert result.environment["runtime_version"] == "2.14.0"
    assert result.environment["numpy"].startswith("1.")
    assert result.placement.delegated == result.placement.ops


def test_an_int8_model_gives_litert_s_values_to_one_step(outputs):
    old, result = outputs("tflite-runtime", "int8.tflite")
    assert result.outputs[0].scale > 0
    new = outputs("litert", "int8.tflite")[0]
    assert old.dtype == new.dtype == np.int8
    assert np.abs(old.astype(int) - new.astype(int)).max() <= 1


def test_it_is_measured_there_too(tiny_models, legacy_python):
    job = Job(action="measure", runtime="tflite-runtime", model=str(tiny_models / "float.tflite"))
    measurement = LocalTransport(legacy_python).run(job).measurement
    assert len(measurement.samples_ns) >= 30
    assert measurement.peak_rss_bytes > 10 << 20
