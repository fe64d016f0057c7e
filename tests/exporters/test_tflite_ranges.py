from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgekit.exporters.tflite_file import pack, unpack
from edgekit.exporters.tflite_ranges import with_ranges


def fill(content, limits):
    """The file with a range for every float tensor that something computes."""
    model = unpack(content)
    main = model.subgraphs[0]
    computed = {int(i) for op in main.operators for i in op.outputs} | set(main.inputs.tolist())
    from ai_edge_litert import schema_py_generated as schema

    for index in computed:
        tensor = main.tensors[index]
        if tensor.quantization is None:
            tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.min, tensor.quantization.max = [limits[0]], [limits[1]]
    return pack(model), sorted(computed)


def ranges_of(content):
    main = unpack(content).subgraphs[0]
    return {
        index: (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
        for index, tensor in enumerate(main.tensors)
        if tensor.quantization is not None
        and tensor.quantization.min is not None
        and len(tensor.quantization.min)
    }


@pytest.fixture
def file(tiny_models):
    return (tiny_models / "float.tflite").read_bytes()


@pytest.fixture
def samples():
    return np.random.default_rng(0).uniform(0, 1, (12, 8, 8, 3)).astype(np.float32)


def test_wrong_ranges_are_replaced_counted_and_measured(file, samples):
    wrong, computed = fill(file, (-40.0, 40.0))
    made, audit = with_ranges(wrong, [samples], "minmax")
    assert audit.repaired == audit.tensors == len(computed)
    assert audit.largest_repair > 5
    interpreter = Interpreter(
        model_content=file,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    real = {index: [] for index in computed}
    for row in samples:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], row[None])
        interpreter.invoke()
        for index in computed:
            real[index].append(interpreter.get_tensor(index))
    for index, (low, high) in ranges_of(made).items():
        assert low == pytest.approx(min(np.min(real[index]), 0))
        assert high == pytest.approx(max(np.max(real[index]), 0))


def test_right_ranges_count_as_no_repair(file, samples):
    placeholder, _ = fill(file, (0.0, 1.0))
    right, _ = with_ranges(placeholder, [samples[:2]], "minmax")
    _, audit = with_ranges(right, [samples], "minmax")
    assert audit.repaired == 0
    assert audit.largest_repair < 1e-6


def test_what_the_model_takes_and_gives_is_never_clipped(file, samples):
    placeholder, _ = fill(file, (0.0, 1.0))
    main = unpack(placeholder).subgraphs[0]
    found = {
        how: ranges_of(with_ranges(placeholder, [samples], how)[0])
        for how in ("minmax", "percentile-99.9")
    }
    for index in (*main.inputs, *main.outputs):
        assert found["minmax"][int(index)] == found["percentile-99.9"][int(index)]
