from __future__ import annotations

import numpy as np
import pytest

from edgekit.agent.service import perform
from edgekit.errors import DataError, DeviceError
from edgekit.job import Job, NonFinite

RUNTIMES = [("litert", "tflite"), ("onnxruntime", "onnx"), ("openvino", "xml")]
every_runtime = pytest.mark.parametrize(("runtime", "suffix"), RUNTIMES)


@pytest.fixture
def run(tiny_models, tmp_path):
    """Run a tiny model over an array of samples; returns outputs and result."""

    def perform_run(runtime, file, samples, **options):
        np.save(tmp_path / "x.npy", samples)
        job = Job(
            action="run",
            runtime=runtime,
            model=str(tiny_models / file),
            inputs=str(tmp_path / "x.npy"),
            outputs=str(tmp_path / "y.npy"),
            **options,
        )
        result = perform(job)
        return np.load(tmp_path / "y.npy"), result

    return perform_run


def images(count=6):
    return np.random.default_rng(3).random((count, 8, 8, 3), np.float32) + 0.01


@every_runtime
def test_every_sample_gives_its_own_output(run, runtime, suffix):
    outputs, result = run(runtime, f"float.{suffix}", images())
    assert outputs.shape == (6, 4)
    assert result.samples == 6
    assert result.nonfinite is None
    alone, _ = run(runtime, f"float.{suffix}", images()[4:5])
    np.testing.assert_allclose(outputs[4], alone[0], rtol=1e-5, atol=1e-5)


@every_runtime
def test_nan_and_infinity_are_counted_and_the_first_sample_named(run, runtime, suffix):
    samples = images()
    samples[2, 0, 0, 0] = -1.0  # its logarithm is NaN
    samples[4, 0, 0, :2] = 0.0  # and of these −∞
    _, result = run(runtime, f"logarithm.{suffix}", samples)
    assert result.nonfinite == NonFinite(values=3, samples=2, first_sample=2)


@every_runtime
def test_samples_of_another_dtype_are_refused_not_cast(run, runtime, suffix):
    with pytest.raises(DataError, match=r"samples are float64; input .* takes float32"):
        run(runtime, f"float.{suffix}", images().astype(np.float64))


@every_runtime
def test_two_inputs_come_from_a_folder_and_two_outputs_go_to_one(
    tiny_models, tmp_path, runtime, suffix
):
    model = str(tiny_models / f"pair.{suffix}")
    probe = Job(action="measure", runtime=runtime, model=model)
    described = perform(probe)
    from edgekit.job import tensor_file

    (tmp_path / "in").mkdir()
    for tensor in described.inputs:
        value = 2 if "left" in tensor.name else 5
        np.save(tmp_path / "in" / tensor_file(tensor.name), np.full((3, 5), value, np.float32))
    job = Job(
        action="run",
        runtime=runtime,
        model=model,
        inputs=str(tmp_path / "in"),
        outputs=str(tmp_path / "out"),
    )
    result = perform(job)
    arrays = [np.load(tmp_path / "out" / tensor_file(t.name)) for t in result.outputs]
    assert sorted(float(array.max()) for array in arrays) == [7.0, 10.0]
    assert all(array.shape == (3, 5) for array in arrays)


def test_a_delegate_that_runs_nothing_fails_the_job_after_the_fact(run):
    # ONNX Runtime's CPU provider exists and executes, but it is no delegate.
    with pytest.raises(DeviceError, match="'cpu' was asked for and runs none"):
        run("onnxruntime", "float.onnx", images(), delegate="cpu")


def test_the_environment_names_runtime_version_and_precision(run):
    _, result = run("openvino", "float.xml", images(1))
    assert result.environment["runtime"] == "openvino"
    assert result.environment["runtime_version"][0].isdigit()
    assert result.environment["inference_precision"] == "f32"
