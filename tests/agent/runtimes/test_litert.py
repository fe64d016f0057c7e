from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from edgekit.agent.runtimes.litert import Litert, TfliteRuntime
from edgekit.errors import DeviceError, RuntimeFault

pytest.importorskip("ai_edge_litert")


@pytest.fixture
def load(tiny_models):
    def loaded(name, delegate=None):
        return Litert().load(tiny_models / f"{name}.tflite", threads=1, delegate=delegate)

    return loaded


def image(seed=0):
    return np.random.default_rng(seed).random((1, 8, 8, 3), np.float32)


def test_tensors_are_described_with_their_grid(load):
    (taken,) = load("int8").inputs
    assert (taken.dtype, taken.shape, taken.zero_point) == ("int8", (1, 8, 8, 3), -128)
    assert taken.scale == pytest.approx(1 / 255, rel=0.05)
    (given,) = load("float").outputs
    assert (given.dtype, given.shape, given.scale) == ("float32", (1, 4), None)


def test_the_default_delegate_takes_every_op_and_a_delegate_node_proves_it(load):
    placement = load("float").placement()
    assert placement.partitions == 1
    assert placement.delegated == placement.ops > 0
    assert placement.executors == {"XNNPACK": placement.ops}
    assert placement.left_out == {}


def test_without_a_delegate_the_same_values_come_from_plain_kernels(load):
    plain = load("float", "none")
    assert plain.placement().delegated == 0
    assert set(plain.placement().executors) == {"kernels"}
    np.testing.assert_allclose(plain([image()])[0], load("float")([image()])[0], atol=1e-5)


def test_an_op_the_delegate_lacks_splits_the_graph_and_is_counted_apart(load):
    placement = load("islands", "xnnpack").placement()
    assert placement.partitions == 2
    assert placement.executors == {"XNNPACK": placement.ops - 1, "kernels": 1}
    assert sum(placement.left_out.values()) == 1


def test_a_delegate_that_this_device_lacks_is_an_error_not_a_slow_success(load):
    with pytest.raises(DeviceError, match="delegate 'cuda' is not present on this device"):
        load("float", "cuda")


# LiteRT's own Delegate has a destructor that fails where loading failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_file_that_is_no_delegate_is_an_error(load, tmp_path):
    library = tmp_path / "libnpu.so"
    library.write_bytes(b"not a library")
    with pytest.raises(DeviceError, match=r"libnpu\.so does not load"):
        load("float", str(library))


def test_outputs_belong_to_the_caller(load):
    model = load("float")
    (first,) = model([image(1)])
    kept = first.copy()
    model([image(2)])
    assert (first == kept).all()


def test_two_inputs_and_two_outputs_keep_their_order(load):
    model = load("pair")
    values = {"left": np.full((1, 5), 2, np.float32), "right": np.full((1, 5), 5, np.float32)}
    fed = [values["left" if "left" in tensor.name else "right"] for tensor in model.inputs]
    found = sorted(float(array[0, 0]) for array in model(fed))
    assert found == [7.0, 10.0]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64])
def test_a_damaged_file_is_a_runtime_fault(tmp_path, content):
    model = tmp_path / "model.tflite"
    model.write_bytes(content)
    with pytest.raises(RuntimeFault, match=r"litert .* cannot load model\.tflite"):
        Litert().load(model, threads=1, delegate=None)


class TestTfliteRuntime:
    """Its two known traps are refused before the package is imported."""

    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())

    def test_numpy_2_is_refused_with_the_way_out(self, monkeypatch):
        monkeypatch.setattr(np, "__version__", "2.4.6")
        with pytest.raises(RuntimeFault, match=r"needs numpy 1; .* has numpy 2\.4\.6") as caught:
            TfliteRuntime()
        assert "'numpy<2'" in caught.value.hint

    def test_a_process_with_tensorflow_is_refused(self, monkeypatch):
        monkeypatch.setattr(np, "__version__", "1.26.4")
        monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
        with pytest.raises(RuntimeFault, match="a process that imported TensorFlow"):
            TfliteRuntime()


def test_reference_kernels_run_every_op_and_are_called_so(load):
    plain = load("int8", "reference")
    placement = plain.placement()
    assert (placement.delegated, placement.executors) == (0, {"reference kernels": placement.ops})
    taken = np.zeros((1, 8, 8, 3), np.int8)
    assert plain([taken])[0].dtype == np.int8
