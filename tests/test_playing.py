"""Model files that act: in their runtime, asked each time step; and exports judged by it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import ConversionError, DeviceError, RuntimeFault
from edgekit.job import Job
from edgekit.metrics import METRICS
from edgekit.playing import acting
from edgekit.tensor import TensorInfo
from edgekit.transports.local import LocalTransport
from edgekit.transports.session import Answering
from edgekit.verbs.evaluate import evaluate
from edgekit.verbs.export import ExportRequest, export

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODEL_TOML = """
name = "leaner"
task = "control"
output = "values"
metric = "return"

[[inputs]]
name = "state"
dtype = "float32"
shape = [4]
range = [-3, 3]

[gate]
max_drop = 400
samples = 12
"""

MODEL_PY = """
import keras


def build(classes):
    state = keras.Input((4,), name="state")
    return keras.Model(state, keras.layers.Dense(classes, name="values")(state))
"""


@pytest.fixture(scope="module")
def leaner(tmp_path_factory):
    """A policy that pushes where the pole leans, exported: tflite, fp32 and int8."""
    import keras

    folder = tmp_path_factory.mktemp("leaner")
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML)
    state = keras.Input((4,), name="state")
    model = keras.Model(state, keras.layers.Dense(2, name="values")(state))
    # Good for some forty steps: a better one, in 8 bits too, is paid the most there is.
    kernel = np.array([[0, 0], [0, 0], [-1, 1], [0, 0]], np.float32)
    model.set_weights([kernel, np.zeros(2, np.float32)])
    model.save_weights(folder / "cartpole.weights.h5")
    result = export(
        ExportRequest(
            str(folder),
            targets=("tflite",),
            precisions=("fp32", "int8"),
            dataset="cartpole",
            weights=folder / "cartpole.weights.h5",
            calibration_samples=32,
            out=folder / "build",
        )
    )
    assert not result.failures
    return {artifact.precision: artifact for artifact in result.artifacts}


def test_an_export_is_judged_by_episodes_that_the_file_itself_plays(leaner):
    metric = leaner["fp32"].manifest.metric
    assert (metric["name"], metric["unit"], metric["samples"]) == ("return", "return", 12)
    assert metric["value"] == metric["reference"]
    assert (metric["drop"], metric["drop_ci95"]) == (0.0, [0.0, 0.0])
    dataset = open_dataset("cartpole")

    def policy(states):
        lean = states[:, 2]
        return [np.stack([-lean, lean], 1)]

    labels = 20_000_000 + np.arange(12)[:, None]  # seeds of the test split
    paid = METRICS["return"].play(policy, dataset.world(), labels)[0]
    assert metric["value"] == pytest.approx(paid.mean(), abs=1e-3)
    assert 30 < paid.mean() < 100
    marks = np.load(leaner["fp32"].path / "golden/marks.npy")
    assert marks.tolist() == paid.tolist()


def test_eval_plays_the_same_episodes_again_and_pairs_them_with_the_source(leaner):
    for artifact in leaner.values():
        found = evaluate(artifact.path)
        assert found.metric.value == pytest.approx(artifact.manifest.metric["value"], abs=1e-3)
        assert found.against_source is not None
        assert found.metric.drop == pytest.approx(artifact.manifest.metric["drop"], abs=1e-3)
        assert json.loads(json.dumps(found.to_json()))["metric"]["unit"] == "return"


def test_an_int8_policy_takes_and_gives_real_values(leaner):
    artifact = leaner["int8"]
    job = Job("measure", "litert", str(artifact.model_path))
    states = np.array([[0, 0, 0.1, 0], [0, 0, -0.1, 0]], np.float32)
    given = artifact.manifest
    with acting(LocalTransport(), job, inputs=given.inputs, outputs=given.outputs) as policy:
        (values,) = policy(states)
    assert values.dtype == np.float32
    assert values.argmax(axis=1).tolist() == [1, 0]


def test_a_runtime_that_crashes_takes_down_its_own_process_only(leaner, tmp_path):
    damaged = tmp_path / "model.tflite"
    damaged.write_bytes(b"no model")
    given = leaner["fp32"].manifest
    job = Job("measure", "litert", str(damaged))
    with (
        pytest.raises(RuntimeFault, match="cannot load"),
        acting(LocalTransport(), job, inputs=given.inputs, outputs=given.outputs),
    ):
        pass


class NoSession(LocalTransport):
    answering = LocalTransport.__mro__[1].answering


def test_a_device_that_keeps_no_model_loaded_and_two_inputs_are_refused():
    job, one = Job("measure", "litert", "model.tflite"), TensorInfo("a", "float32", (1, 4))
    with (
        pytest.raises(DeviceError, match="keeps no model loaded"),
        acting(NoSession(), job, inputs=[one], outputs=[one]),
    ):
        pass
    with (
        pytest.raises(ConversionError, match="one input"),
        acting(LocalTransport(), job, inputs=[one, one], outputs=[one]),
    ):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        {"outputs": []},
        {"outputs": [{"dtype": "float32", "shape": [1, 2], "data": "AAAAAAAAAAA="}]},
        {"outputs": [{"dtype": "float32", "shape": [2, 2], "data": "AAAA"}]},
        {"outputs": [{"dtype": "object", "shape": [2], "data": ""}]},
        {"outputs": [{"dtype": "float32", "shape": [2], "data": "?"}]},
    ],
)
def test_malformed_answers_of_a_device_are_refused(answer):
    tensor = TensorInfo("a", "float32", (1, 2)).to_json()

    def ask(step):
        return {"inputs": [tensor], "outputs": [tensor]} if step["step"] == "load" else answer

    answering = Answering(ask, Job("measure", "litert", "model.tflite"))
    with pytest.raises(DeviceError):
        answering([np.zeros((2, 2), np.float32)])
