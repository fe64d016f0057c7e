"""One small network in all formats, and single operators, written by hand so that all is known.

image 16 × 16 × 3, conv 3 × 3 stride 2 to 8, relu, depthwise 3 × 3 dilated by 2,
conv 1 × 1 in 2 groups to 12, transposed conv 2 × 2 stride 2 to 6, mean, dense to 4
"""

from __future__ import annotations

import numpy as np

# Of the layers with any, by hand: outputs (inputs, of the transposed one) × taps × channels.
MACS = {
    "conv": 8 * 8 * 8 * 9 * 3,
    "deep": 8 * 8 * 8 * 9,
    "point": 8 * 8 * 12 * 4,
    "up": 8 * 8 * 12 * 4 * 6,
    "logits": 6 * 4,
}
SHAPES = {  # out, in of a group, height, width; in, out of the transposed one; in, out of the dense
    "conv": (8, 3, 3, 3), "deep": (8, 1, 3, 3), "point": (12, 4, 1, 1), "up": (12, 6, 2, 2),
    "logits": (6, 4),
}  # fmt: skip
PARAMETERS = sum(int(np.prod(shape)) for shape in SHAPES.values()) + 8 + 8 + 12 + 6 + 4


def weights():
    """Kernels and biases by layer."""
    random = np.random.default_rng(3)
    made = {"conv": 8, "deep": 8, "point": 12, "up": 6, "logits": 4}
    return {
        name: (
            random.normal(0, 0.3, shape).astype(np.float32),
            random.normal(0, 0.1, made[name]).astype(np.float32),
        )
        for name, shape in SHAPES.items()
    }


# -- ONNX ------------------------------------------------------------------------------------------


def save_onnx(path, nodes, inputs, outputs, constants=()):
    """A file of these nodes; inputs and outputs are (name, shape) in float32, or with a dtype."""
    import onnx
    from onnx import helper, numpy_helper

    def described(name, shape, dtype="float32"):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "graph",
        [described(*one) for one in inputs],
        [described(*one) for one in outputs],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in dict(constants).items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def onnx_network(path):
    from onnx import helper

    constants = {}
    for name, (kernel, bias) in weights().items():
        constants |= {f"{name}_w": kernel, f"{name}_b": bias}

    def layer(op, taken, name, **attributes):
        return helper.make_node(op, [taken, f"{name}_w", f"{name}_b"], [name], **attributes)

    nodes = [
        layer("Conv", "image", "conv", strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["conv"], ["positive"]),
        layer("Conv", "positive", "deep", group=8, pads=[2] * 4, dilations=[2, 2]),
        layer("Conv", "deep", "point", group=2),
        layer("ConvTranspose", "point", "up", strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["up"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        layer("Gemm", "flat", "logits"),
    ]
    return save_onnx(path, nodes, [("image", [1, 3, 16, 16])], [("logits", [1, 4])], constants)


def quantized_onnx(source, path):
    """The same with QuantizeLinear and DequantizeLinear, by ONNX Runtime's own tool."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(1)
            self.left = [random.random((1, 3, 16, 16), np.float32) for _ in range(3)]

        def get_next(self):
            return {"image": self.left.pop()} if self.left else None

    quantize_static(source, path, Samples(), quant_format=QuantFormat.QDQ, per_channel=True)
    return path


# -- OpenVINO --------------------------------------------------------------------------------------


def openvino_of(source, path, *, half=False):
    """What OpenVINO makes of an ONNX file."""
    import openvino

    openvino.save_model(openvino.convert_model(source), path, compress_to_fp16=half)
    return path


# -- TFLite ----------------------------------------------------------------------------------------


class TfliteFile:
    """A `.tflite` file, operator by operator."""

    def __init__(self):
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, shape, dtype="float32", data=None):
        tensor = self.schema.TensorT()
        tensor.shape = list(shape)
        tensor.type = getattr(self.schema.TensorType, dtype.upper())
        tensor.name = f"tensor_{len(self.graph.tensors)}".encode()
        tensor.buffer = 0
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values):
        values = np.asarray(values)
        return self.tensor(values.shape, values.dtype.name, values)

    def add(self, op, inputs, shape, *, options=None, dtype="float32", version=1, **values):
        """An operator; `options` names the table of its options, `values` are what stands there."""
        schema = self.schema
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, op)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), [self.tensor(shape, dtype)]
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in values.items():
                assert hasattr(operator.builtinOptions, name)
                setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)
        return operator.outputs[0]

    def save(self, path, inputs, outputs):
        import flatbuffers

        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path


_SAME, _VALID, _RELU = 0, 1, 1


def tflite_network(path):
    file = TfliteFile()
    known = weights()
    image = file.tensor((1, 16, 16, 3))

    def held(name, *axes):
        kernel, bias = known[name]
        return file.constant(kernel.transpose(axes)), file.constant(bias)

    x = file.add(
        "CONV_2D", [image, *held("conv", 0, 2, 3, 1)], (1, 8, 8, 8), options="Conv2DOptions",
        padding=_SAME, strideW=2, strideH=2, fusedActivationFunction=_RELU,
    )  # fmt: skip
    x = file.add(
        "DEPTHWISE_CONV_2D", [x, *held("deep", 1, 2, 3, 0)], (1, 8, 8, 8), version=2,
        options="DepthwiseConv2DOptions", padding=_SAME, strideW=1, strideH=1, depthMultiplier=1,
        dilationWFactor=2, dilationHFactor=2,
    )  # fmt: skip
    x = file.add(
        "CONV_2D", [x, *held("point", 0, 2, 3, 1)], (1, 8, 8, 12), options="Conv2DOptions",
        padding=_SAME, strideW=1, strideH=1,
    )  # fmt: skip
    kernel, bias = held("up", 1, 2, 3, 0)
    shape = file.constant(np.int32([1, 16, 16, 6]))
    x = file.add(
        "TRANSPOSE_CONV", [shape, kernel, x, bias], (1, 16, 16, 6), version=3,
        options="TransposeConvOptions", padding=_SAME, strideW=2, strideH=2,
    )  # fmt: skip
    x = file.add("MEAN", [x, file.constant(np.int32([1, 2]))], (1, 6), options="ReducerOptions")
    x = file.add(
        "FULLY_CONNECTED", [x, *held("logits", 1, 0)], (1, 4), options="FullyConnectedOptions"
    )
    return file.save(path, [image], [x])
