"""Kernels on the grid come out of every converter with the same int8 numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgekit import registry
from edgekit.exporters.base import Conversion
from edgekit.exporters.tracing import Trace, trace_model
from edgekit.exporters.worker import ENTRY
from edgekit.process import run_in_child
from edgekit.quantization.condition.conditioning import condition_trace
from edgekit.quantization.condition.grid import codes
from edgekit.quantization.condition.linear import kernel_of, linear_nodes

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def every_kind():
    """One layer of each kind whose kernel is rounded."""
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, 2, "same", use_bias=False, name="conv")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.SeparableConv2D(8, 3, padding="same", name="separable")(x)
    x = layers.Conv2DTranspose(7, 2, 2, name="transposed")(x)
    x = layers.Conv2D(4, 1, activation="relu", name="project")(x)
    x = layers.Reshape((64, 4))(x)
    x = layers.Dense(6, activation="relu", name="tokens")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Dense(5, name="logits")(x))


@pytest.fixture(scope="session")
def conditioned(made_once):
    """Folder with `trace`, `conditioned` and `inputs.npy`."""

    def fill(folder):
        import keras

        keras.utils.set_random_seed(5)
        model = every_kind()
        samples = np.random.default_rng(2).normal(size=(24, 8, 8, 3)).astype(np.float32)
        np.save(folder / "inputs.npy", samples)
        (folder / "trace").mkdir()
        trace_model(model, folder / "trace")
        condition_trace(folder / "trace", folder, folder / "conditioned")

    return made_once("conditioned-every-kind", fill)


def converted(folder, target, precision, source, place):
    trace = Trace.read(folder / "conditioned")
    place.mkdir()
    conversion = Conversion(precision, "native", source, place, trace.inputs, folder)
    request = {"do": "convert", "target": target, "conversion": conversion.to_json()}
    run_in_child(ENTRY, request)
    return place / registry.load(registry.EXPORTERS, target).model_file


def in_tflite(file):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.INT8 and data is not None:
            yield np.asarray(data, np.uint8).view(np.int8)


def in_onnx(file):
    import onnx
    from onnx import numpy_helper

    for tensor in onnx.load(file).graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.int8 and value.any():
            yield value


def in_openvino(file):
    import openvino

    for node in openvino.Core().read_model(file).get_ordered_ops():
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "i8":
            yield node.get_data()


READERS = {"tflite": in_tflite, "onnx": in_onnx, "openvino": in_openvino}


@pytest.mark.parametrize("target", READERS)
def test_int8_numbers_of_every_kernel_survive(conditioned, graph_of, tmp_path, target):
    graph = graph_of(Trace.read(conditioned / "conditioned"))
    source = conditioned / "conditioned"
    if target != "tflite":
        file = converted(conditioned, "onnx", "fp32", source, tmp_path / "float")
        source = file.parent
    file = converted(conditioned, target, "int8", source, tmp_path / "int8")
    # Layouts differ from format to format: the numbers in ascending order are a kernel's mark.
    found = Counter(np.sort(array, axis=None).tobytes() for array in READERS[target](file))
    wanted = {n.node.name: codes(kernel_of(graph, n), n.axes) for n in linear_nodes(graph)}
    assert len(wanted) == 8
    for name, numbers in wanted.items():
        assert found[np.sort(numbers, axis=None).tobytes()], f"{name} is not in {target}'s file"
