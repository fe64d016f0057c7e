from __future__ import annotations

import numpy as np
import pytest

from edgekit.agent.runtimes.base import check_delegate
from edgekit.agent.runtimes.onnxruntime import Onnxruntime, pieces
from edgekit.errors import DeviceError, RuntimeFault

pytest.importorskip("onnxruntime")


@pytest.fixture
def load(tiny_models):
    def loaded(name, delegate=None, threads=1):
        return Onnxruntime().load(tiny_models / f"{name}.onnx", threads=threads, delegate=delegate)

    return loaded


def image(seed=0):
    return np.random.default_rng(seed).random((1, 8, 8, 3), np.float32)


def test_tensors_are_described_and_open_sizes_are_minus_one(load):
    left, right = load("pair").inputs
    assert (left.name, left.dtype, left.shape) == ("left", "float32", (-1, 5))
    assert right.name == "right"


def test_each_nodes_provider_is_read_from_a_profile(load):
    model = load("float")
    model([image()])
    placement = model.placement()
    assert placement.executors == {"CPU": placement.ops}
    assert placement.ops >= 2
    assert placement.delegated == 0
    assert sum(placement.left_out.values()) == placement.ops  # all of it is float


def test_a_piece_ends_where_another_provider_runs():
    assert pieces(["CPU", "CUDA", "CUDA", "CPU", "CUDA"], "CUDA") == 2
    assert pieces(["CPU", "CPU"], "CUDA") == 0


def test_a_provider_that_is_listed_and_runs_nothing_is_an_error(load):
    # Its wheels list AzureExecutionProvider, which runs no op of any model.
    import onnxruntime

    if "AzureExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this build lists no provider besides the CPU")
    with pytest.raises(DeviceError, match="delegate 'azure' is not present") as caught:
        load("float", "azure")
    assert "it is listed, and runs nothing" in caught.value.details[0]


def test_a_provider_this_build_lacks_is_an_error_that_lists_those_it_has(load):
    with pytest.raises(DeviceError, match="delegate 'cuda' is not present") as caught:
        load("float", "cuda")
    assert caught.value.details[0].startswith("present here: ")
    assert "cpu" in caught.value.details[0]
    assert "onnxruntime-gpu" in caught.value.hint


def test_the_cpu_asked_for_as_a_delegate_delegates_nothing(load):
    model = load("float", "cpu")
    model([image()])
    with pytest.raises(DeviceError, match="was asked for and runs none"):
        check_delegate("cpu", model.placement())


def test_values_are_the_same_with_one_thread_and_two(load):
    np.testing.assert_allclose(
        load("float")([image()])[0], load("float", threads=2)([image()])[0], rtol=1e-5
    )


def test_inputs_set_once_stay_until_others_come(load):
    model = load("pair")
    model.set_inputs([np.full((1, 5), 2, np.float32), np.full((1, 5), 5, np.float32)])
    model.invoke()
    model.invoke()
    total, product = model.get_outputs()
    assert (total == 7).all()
    assert (product == 10).all()


def test_outputs_belong_to_the_caller(load):
    model = load("float")
    (first,) = model([image(1)])
    kept = first.copy()
    model([image(2)])
    assert (first == kept).all()


def test_a_damaged_file_is_a_runtime_fault(tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"\x08\x09nothing")
    with pytest.raises(RuntimeFault, match=r"onnxruntime \S+ cannot load model\.onnx"):
        Onnxruntime().load(model, threads=1, delegate=None)


def test_reference_runs_the_graph_as_it_is_written(tmp_path):
    from onnx import TensorProto, helper, save

    names = ["x", "a", "b", "y"]
    nodes = [
        helper.make_node(op, [taken], [given])
        for op, taken, given in zip(("Neg", "Identity", "Relu"), names, names[1:], strict=False)
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    save(model, tmp_path / "chain.onnx")

    def ops(delegate):
        loaded = Onnxruntime().load(tmp_path / "chain.onnx", threads=1, delegate=delegate)
        (given,) = loaded([np.array([[-1, 2, -3, 4]], np.float32)])
        assert given.tolist() == [[1, 0, 3, 0]]
        return loaded.placement().ops

    assert (ops("reference"), ops(None)) == (3, 2)
