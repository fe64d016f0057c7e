from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.quantization.files.onnx_fold import folded
from edgekit.quantization.files.onnx_graph import session


def run(model, sample):
    return session(model).run(None, {"image": sample})[0]


def norms(model):
    return sum(node.op_type == "BatchNormalization" for node in model.graph.node)


LAYERS = st.sampled_from(["conv", "depthwise", "grouped", "up", "grouped up"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layers=st.lists(st.tuples(LAYERS, st.booleans(), st.booleans()), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_a_folded_graph_is_the_same_function(net, tmp_path, layers, seed):
    made = net(seed)
    x, channels = "image", 3
    for index, (kind, bias, rectified) in enumerate(layers):
        name = f"layer{index}"
        wanted = 6 if index else channels * 2
        groups = {"depthwise": channels, "grouped": 3, "grouped up": 3}.get(kind, 1)
        up = kind.endswith("up")
        options = {"group": groups, "transposed": up, "stride": 2 if up else 1}
        size = 2 if up else 3
        x = made.conv(x, channels, wanted, size, name, bias=bias, **options)
        x = made.norm(x, wanted, f"{name}_norm")
        x, channels = made.relu(x) if rectified else x, wanted
    side = 8 * 2 ** sum(kind.endswith("up") for kind, _, _ in layers)
    model = made.model(x, [channels, side, side], batch=1, size=8)
    sample = np.random.default_rng(seed).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    wanted = run(model, sample)
    found = folded(model, tmp_path)
    assert norms(found) == 0
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(run(found, sample), wanted, atol=1e-5 * scale)


def test_a_norm_whose_kernel_another_reads_stays(net, tmp_path):
    made = net()
    x = made.conv("image", 3, 4, 3, "conv", transposed=True)
    made.add("Add", [made.norm(x, 4, "norm"), x], "out")
    model = made.model("out", [4, 10, 10], batch=1, size=8)
    sample = np.ones((1, 3, 8, 8), np.float32)
    found = folded(model, tmp_path)
    assert norms(found) == 1
    np.testing.assert_allclose(run(found, sample), run(model, sample), atol=1e-5)


def test_a_norm_without_variance_folds_into_finite_kernels(net, tmp_path):
    from onnx import numpy_helper

    made = net()
    made.norm(made.conv("image", 3, 4, 2, "conv", transposed=True), 4, "out")
    for tensor in made.initializers:
        if tensor.name == "out_3":
            tensor.CopyFrom(numpy_helper.from_array(np.zeros(4, np.float32), "out_3"))
    found = folded(made.model("out", [4, 9, 9], batch=1, size=8), tmp_path)
    assert norms(found) == 0
    assert all(np.isfinite(numpy_helper.to_array(t)).all() for t in found.graph.initializer)


@pytest.mark.parametrize("name", [".before.onnx", ".after.onnx"])
def test_folding_leaves_no_file(net, tmp_path, name):
    made = net()
    folded(made.model(made.conv("image", 3, 4, 3, "out"), [4, 8, 8], batch=1, size=8), tmp_path)
    assert not (tmp_path / name).exists()
