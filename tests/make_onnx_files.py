"""Small ONNX networks as somebody else would hand them over: channels first, batch norms, no names.

python make_onnx_files.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SIZE, CLASSES = 16, 4


class Net:
    """A small NCHW network, node by node."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def constant(self, name, values):
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def add(self, op, inputs, output, **attributes):
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def conv(self, x, given, made, size, name, *, group=1, stride=1, bias=True, transposed=False):
        shape = (given, made // group) if transposed else (made, given // group)
        scale = (2 / (given / group * size * size)) ** 0.5
        kernel = self.random.normal(0, scale, (*shape, size, size))
        inputs = [x, self.constant(f"{name}_w", kernel)]
        if bias:
            inputs.append(self.constant(f"{name}_b", self.random.normal(0, 0.1, made)))
        pads = {} if transposed else {"pads": [size // 2] * 4}
        op = "ConvTranspose" if transposed else "Conv"
        shape = {"kernel_shape": [size] * 2, "strides": [stride] * 2, **pads}
        return self.add(op, inputs, name, group=group, **shape)

    def norm(self, x, channels, name):
        uniform = self.random.uniform
        values = (
            uniform(0.5, 2, channels),
            self.random.normal(0, 0.3, channels),
            self.random.normal(0, 0.3, channels),
            uniform(0.3, 2, channels),
        )
        inputs = [self.constant(f"{name}_{i}", value) for i, value in enumerate(values)]
        return self.add("BatchNormalization", [x, *inputs], name)

    def relu(self, x):
        return self.add("Relu", [x], f"{x}_relu")

    def model(self, output, made, *, batch="N", size=SIZE, opset=13, given="image"):
        from onnx import TensorProto, helper

        sizes = [batch, 3, size, size]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(given, TensorProto.FLOAT, sizes)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, *made])],
            self.initializers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        return model


def small(outlier=1.0, **options):
    """Convolutions of all kinds, a branch, a product; `outlier` is the size of one weight."""
    net = Net()
    x = net.relu(net.norm(net.conv("image", 3, 8, 3, "stem", stride=2, bias=False), 8, "norm"))
    y = net.relu(net.conv(x, 8, 8, 3, "deep", group=8))
    kernel = net.random.normal(0, 0.4, (8, 8, 1, 1))
    if outlier > 1:
        kernel[:, 0] = 0.0
        kernel[0::2, 0] = outlier
    inputs = [y, net.constant("point_w", kernel)]
    y = net.add("Add", [net.add("Conv", inputs, "point", kernel_shape=[1, 1]), x], "sum")
    x = net.conv(net.relu(y), 8, 6, 2, "up", stride=2, transposed=True, bias=False)
    x = net.relu(net.norm(x, 6, "up_norm"))
    x = net.add("Flatten", [net.add("GlobalAveragePool", [x], "pool")], "flat")
    weights = [net.constant("head_w", net.random.normal(0, 1, (6, CLASSES)))]
    x = net.add("MatMul", [x, *weights], "product")
    net.add("Add", [x, net.constant("head_b", net.random.normal(0, 0.2, CLASSES))], "logits")
    if outlier > 1:  # what the huge weight multiplies is next to nothing
        from onnx import numpy_helper

        for tensor in net.initializers:
            if tensor.name in ("deep_w", "deep_b"):
                values = numpy_helper.to_array(tensor).copy()
                values[0] = 1e-4 / outlier if tensor.name == "deep_b" else 0.0
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return net.model("logits", [CLASSES], **options)


def main(folder: Path) -> None:
    from onnx import TensorProto, helper, save

    save(small(), folder / "net.onnx")
    save(small(outlier=100.0), folder / "outlier.onnx")
    words = Net(5)  # products of matrices over tokens, wide enough for blocks of 4 bits
    x = words.add(
        "Gather", [words.constant("table", words.random.normal(0, 1, (50, 64))), "t"], "e"
    )
    for index in range(2):
        kernel = words.constant(f"w{index}", words.random.normal(0, 0.125, (64, 64)))
        x = words.relu(words.add("MatMul", [x, kernel], f"m{index}"))
    x = words.add("ReduceMean", [x], "mean", axes=[1], keepdims=0)
    head = words.constant("head", words.random.normal(0, 0.2, (64, CLASSES)))
    model = words.model(words.add("MatMul", [x, head], "logits"), [CLASSES])
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("t", TensorProto.INT64, ["N", 12]))
    save(model, folder / "words.onnx")
    random = np.random.default_rng(1)
    rows = random.normal(0.4, 0.3, (160, 3, SIZE, SIZE)).clip(0, 1).astype(np.float32)
    np.savez(folder / "rows.npz", x=rows)
    np.savez(folder / "words.npz", x=random.integers(0, 50, (160, 12)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
