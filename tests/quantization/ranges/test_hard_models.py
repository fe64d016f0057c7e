"""Models and samples that leave a quantizer nothing to measure: sound files in every target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit import registry
from edgekit.exporters.base import Conversion, FileGraph
from edgekit.exporters.tracing import Trace
from edgekit.exporters.worker import Preparation
from edgekit.feeding import run_samples
from edgekit.job import Job
from edgekit.models import resolve_model
from edgekit.process import Child
from edgekit.quantization.worker import ENTRY
from edgekit.transports.local import LocalTransport

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPE = (8, 8, 3)


def noise(count, seed=1):
    return np.random.default_rng(seed).uniform(0, 1, (count, *SHAPE)).astype(np.float32)


def model_with(fault):
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    image = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(image)
    norm = layers.BatchNormalization(name="norm")
    x = layers.ReLU(6.0)(norm(x))
    branch = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Add()([x, layers.ReLU()(branch)])
    x = layers.Conv2D(8, 1, activation="relu", name="project")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x))
    fault(model)
    return model


def nothing(_):
    pass


def dead_channel(model):
    for name in ("stem", "project"):
        layer = model.get_layer(name)
        kernel, *bias = layer.get_weights()
        kernel[..., 2] = 0
        layer.set_weights([kernel, *bias])


def outlier_weight(model):
    layer = model.get_layer("project")
    kernel, bias = layer.get_weights()
    kernel[0, 0, 0, 0] = 2000
    layer.set_weights([kernel, bias])


def zero_variance(model):
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    variance[3] = 0
    model.get_layer("norm").set_weights([gamma, beta, mean, variance])


class Line:
    """Conditions a model and converts it to every target, in one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.child = Child(ENTRY, environment={"PYTHONHASHSEED": "0"})

    def close(self) -> None:
        self.child.kill()
        self.child.close()

    def run(self, name: str, model, samples, ranges="auto") -> Callable[[str], tuple]:
        """Prepare; returns target → what its int8 file gives for unseen noise, and the audit."""
        place = self.folder / name
        place.mkdir()
        model.save(place / "model.keras")
        np.save(place / "inputs.npy", samples)
        source = resolve_model(str(place / "model.keras"))
        prepared = Preparation(source.to_json(), None, None, place / "trace")
        self.child.call({"do": "prepare", **prepared.to_json()})
        answer = self.child.call(
            {
                "do": "condition",
                "source": str(place / "trace"),
                "calibration": str(place),
                "destination": str(place / "conditioned"),
                "ranges": ranges,
            }
        )
        trace = Trace.read(place / "conditioned")
        asked = noise(32, seed=5)
        np.save(place / "asked.npy", asked)

        def convert(target: str) -> tuple:
            start = place / "conditioned"
            steps = [(target, "int8")]
            if target != "tflite":
                steps.insert(0, ("onnx", "fp32"))
            for kind, precision in steps:
                to = place / f"{kind}-{precision}-for-{target}"
                to.mkdir()
                conversion = Conversion(
                    precision, "native", start, to, trace.inputs, place,
                    answer["ranges"], conditioned=True,
                )  # fmt: skip
                request = {"do": "convert", "target": kind, "conversion": conversion.to_json()}
                graph = FileGraph.from_json(self.child.call(request)["graph"])
                start = to
            exporter = registry.load(registry.EXPORTERS, target)()
            job = Job("run", exporter.runtime, str(start / exporter.model_file))
            (outputs,), _ = run_samples(
                LocalTransport(),
                job,
                inputs=graph.inputs,
                outputs=graph.outputs,
                samples=place / "asked.npy",
                scratch=start,
            )
            return outputs, graph.audit

        convert.reference = model.predict(asked, verbose=0)
        return convert


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    made = Line(tmp_path_factory.mktemp("hard"))
    yield made
    made.close()


def signal_db(right, found):
    return 10 * np.log10((right**2).sum() / ((right - found) ** 2).sum())


@pytest.mark.parametrize("fault", [dead_channel, outlier_weight, zero_variance])
def test_a_faulty_model_is_as_good_in_8_bits(line, fault):
    model = model_with(fault)
    convert = line.run(fault.__name__, model, noise(40))
    for target in ("tflite", "onnx", "openvino"):
        outputs, audit = convert(target)
        assert np.isfinite(outputs).all()
        assert signal_db(convert.reference, outputs) > 15, target
        assert audit.tensors >= 5
        assert audit.unstable == 0


@pytest.mark.parametrize(("name", "value"), [("zeros", 0.0), ("ones", 1.0)])
def test_samples_that_are_all_equal_give_a_file_that_runs(line, name, value):
    convert = line.run(name, model_with(nothing), np.full((12, *SHAPE), value, np.float32))
    for target in ("tflite", "onnx", "openvino"):
        outputs, audit = convert(target)
        assert np.isfinite(outputs).all()
        assert (audit.clipped, audit.unstable) == (0, 0), target
