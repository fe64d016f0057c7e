"""Read and amend ONNX graphs: names, shapes, operators, dtypes, quantized inputs and outputs.

Works on `ModelProto`. Does not convert and does not run.
"""

from __future__ import annotations

import graphlib
import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import ConversionError
from edgekit.exporters.base import FileGraph
from edgekit.tensor import TensorInfo, affine_grid

# protobuf cannot hold more in one message.
MAX_BYTES = 2 * 1024**3

_MATRIX_AXES = 2
_STOCK_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_NUMBERED = re.compile(r"__\d+")  # tf2onnx's counter


def save(model: Any, path: Path) -> None:
    """Check the graph and write it; equal graphs give equal bytes.

    Raises:
        ConversionError: The graph breaks ONNX's own rules, or is too large for one file.
    """
    import onnx

    if model.ByteSize() > MAX_BYTES:
        raise ConversionError(
            f"the graph takes {model.ByteSize():,} bytes", limit=f"{MAX_BYTES:,} bytes (protobuf)"
        )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ConversionError(f"not a valid ONNX graph: {str(error).splitlines()[0]}") from error
    path.write_bytes(model.SerializeToString(deterministic=True))


def inspect(path: Path) -> FileGraph:
    """Operators (subgraphs included), dtypes, inputs and outputs of a file."""
    import onnx

    model = onnx.load(path)
    ops: Counter[str] = Counter()
    dtypes: Counter[str] = Counter()
    foreign: set[str] = set()
    initializers: set[str] = set()
    for graph in _graphs(model.graph):
        initializers |= {tensor.name for tensor in graph.initializer}
        dtypes.update(dtype_name(tensor.data_type) for tensor in graph.initializer)
        dtypes.update(dtype_name(v.type.tensor_type.elem_type) for v in graph.value_info)
        for node in graph.node:
            ops[node.op_type] += 1
            if node.domain not in _STOCK_DOMAINS:
                foreign.add(f"{node.domain}::{node.op_type}")
    inputs = [v for v in model.graph.input if v.name not in initializers]
    dtypes.update(dtype_name(v.type.tensor_type.elem_type) for v in [*inputs, *model.graph.output])
    return FileGraph(
        inputs=tuple(_describe(v, _input_grid(model.graph, v.name)) for v in inputs),
        outputs=tuple(_describe(v, _output_grid(model.graph, v.name)) for v in model.graph.output),
        ops=dict(ops),
        dtypes=dict(dtypes),
        foreign_ops=tuple(sorted(foreign)),
    )


def rename(model: Any, names: Mapping[str, str]) -> None:
    """Rename tensors everywhere: `image:0` → `image`."""
    taken = {name for node in model.graph.node for name in node.output} - set(names)
    if clash := taken & set(names.values()):
        for node in model.graph.node:
            for field in (node.input, node.output):
                field[:] = [f"{name}_inner" if name in clash else name for name in field]
    for graph in _graphs(model.graph):
        for node in graph.node:
            for field in (node.input, node.output):
                field[:] = [names.get(name, name) for name in field]
        for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
            value.name = names.get(value.name, value.name)


def canonicalize(model: Any) -> None:
    """Name constants and inserted nodes by where they stand, and sort what has no order.

    tf2onnx merges equal constants in an order that follows memory addresses, and numbers what it
    inserts; without this the same model gives other bytes from run to run.
    """
    graph = model.graph
    names: dict[str, str] = {}
    for index, node in enumerate(graph.node):
        if _NUMBERED.search(node.name):
            node.name = f"{node.op_type}_{index}"
        for position, name in enumerate(node.output):
            if _NUMBERED.search(name):
                names[name] = f"{node.op_type}_{index}:{position}"
    constants = {tensor.name: tensor for tensor in graph.initializer}
    used: dict[str, Any] = {}
    taken: set[str] = set()
    for node in graph.node:
        owner = names.get(node.output[0], node.output[0]).partition(":")[0]
        for position, name in enumerate(node.input):
            if name in constants and name not in used:
                used[name] = constants[name]
                place = f"{owner}/constant_{position}"
                while place in taken:  # tensors "y" and "y:0" are two
                    place += "_"
                taken.add(place)
                names[name] = place
    inner = {name for g in _graphs(graph) if g is not graph for n in g.node for name in n.input}
    used |= {name: constants[name] for name in sorted((inner & set(constants)) - set(used))}
    del graph.initializer[:]
    graph.initializer.extend(used.values())
    rename(model, names)
    values = sorted(graph.value_info, key=lambda value: value.name)
    del graph.value_info[:]
    graph.value_info.extend(values)


def sort_nodes(model: Any) -> None:
    """Put every node behind those it reads from; those that stand right keep their order.

    Some passes append where they should insert.

    Raises:
        ConversionError: The nodes need each other in a circle.
    """
    nodes = list(model.graph.node)
    maker = {name: index for index, node in enumerate(nodes) for name in node.output}
    needs = {i: [maker[n] for n in reads(node) if n in maker] for i, node in enumerate(nodes)}
    sorter = graphlib.TopologicalSorter(needs)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise ConversionError("the graph's nodes need each other in a circle") from error
    order: list[int] = []
    ready: list[int] = []
    while sorter.is_active():
        for index in sorter.get_ready():
            heapq.heappush(ready, index)
        order.append(heapq.heappop(ready))
        sorter.done(order[-1])
    del model.graph.node[:]
    model.graph.node.extend([nodes[index] for index in order])


def fix_output_shapes(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Write known shapes over symbolic ones, which tf2onnx leaves on some outputs."""
    for value in model.graph.output:
        axes = value.type.tensor_type.shape.dim
        known = shapes.get(value.name, ())
        if len(axes) == len(known):
            for axis, size in zip(axes, known, strict=True):
                axis.dim_value = size


def retype_input(model: Any, name: str, dtype: str, limits: tuple[float, float]) -> None:
    """Make an input `dtype`; the graph goes on with the values it had.

    An 8-bit dtype gets the affine grid that covers `limits`; float32 is cast where the graph wants
    integers (pixels).
    """
    import onnx
    from onnx import helper

    value = next(v for v in model.graph.input if v.name == name)
    original = value.type.tensor_type.elem_type
    inner = f"{name}_real"
    for node in model.graph.node:
        node.input[:] = [inner if i == name else i for i in node.input]
    value.type.tensor_type.elem_type = getattr(onnx.TensorProto, _onnx_dtype(dtype))
    nodes = []
    if dtype == "float32":
        nodes.append(helper.make_node("Cast", [name], [inner], to=original))
    else:
        scale, zero = affine_grid(limits, dtype)
        _add_grid(model.graph, name, scale, zero, dtype)
        grid = [f"{name}_io_scale", f"{name}_io_zero_point"]
        last = inner if original == onnx.TensorProto.FLOAT else f"{name}_float"
        nodes.append(helper.make_node("DequantizeLinear", [name, *grid], [last]))
        if last != inner:
            nodes.append(helper.make_node("Cast", [last], [inner], to=original))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def quantize_outputs(model: Any, dtype: str) -> None:
    """Give float outputs as `dtype`, on the grid their last DequantizeLinear already has.

    Raises:
        ConversionError: The graph does not end in a quantized tensor.
    """
    import onnx
    from onnx import helper, numpy_helper

    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for value in model.graph.output:
        last = makers.get(value.name)
        if last is None or last.op_type != "DequantizeLinear":
            raise ConversionError(
                f"output {value.name!r} is not quantized, so --io {dtype} has no grid for it",
                hint="--io native keeps outputs in float32",
            )
        scale = float(numpy_helper.to_array(constants[last.input[1]]))
        point = numpy_helper.to_array(constants[last.input[2]])
        # The same grid; its unsigned form lies 128 higher than its signed one.
        zero = int(point) + 128 * ((dtype == "uint8") - (point.dtype.name == "uint8"))
        inner = f"{value.name}_real"
        last.output[0] = inner
        for node in model.graph.node:
            node.input[:] = [inner if name == value.name else name for name in node.input]
        _add_grid(model.graph, value.name, scale, zero, dtype)
        grid = [f"{value.name}_io_scale", f"{value.name}_io_zero_point"]
        model.graph.node.append(helper.make_node("QuantizeLinear", [inner, *grid], [value.name]))
        value.type.tensor_type.elem_type = getattr(onnx.TensorProto, _onnx_dtype(dtype))


def stacks(model: Any) -> dict[str, str]:
    """Products with a constant [..., K, N] that holds a matrix for each row.

    Its values get one step: for steps of each column the quantizer takes the wrong axis, and
    ONNX Runtime's 8-bit products refuse them.

    Returns:
        Name of each such node → name of the constant.
    """
    ranks = {entry.name: len(entry.dims) for entry in model.graph.initializer}
    products = (node for node in model.graph.node if node.op_type == "MatMul")
    return {
        node.name: node.input[1] for node in products if ranks.get(node.input[1], 0) > _MATRIX_AXES
    }


def quantize_convolution_weights(model: Any) -> None:
    """Store convolution kernels as int8 with one scale per output channel, used in float.

    A quarter of the size at the accuracy of 8-bit weights. ONNX Runtime's integer convolution with
    dynamic ranges is ten times slower than float, so the arithmetic stays float.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    done: dict[str, str] = {}
    nodes = []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose") or node.input[1] not in constants:
            continue
        name = node.input[1]
        if name not in done:
            kernel = numpy_helper.to_array(constants[name])
            axis = 0 if node.op_type == "Conv" else 1
            others = tuple(i for i in range(kernel.ndim) if i != axis)
            peak = np.abs(kernel).max(axis=others)
            scale = np.where(peak > 0, peak / 127, 1).astype(np.float32)
            shape = [-1 if i == axis else 1 for i in range(kernel.ndim)]
            grid = np.rint(kernel / scale.reshape(shape)).clip(-127, 127).astype(np.int8)
            model.graph.initializer.remove(constants[name])
            model.graph.initializer.extend(
                [
                    numpy_helper.from_array(grid, f"{name}_int8"),
                    numpy_helper.from_array(scale, f"{name}_scale"),
                    numpy_helper.from_array(np.zeros(scale.shape, np.int8), f"{name}_zero_point"),
                ]
            )
            done[name] = f"{name}_float"
            inputs = [f"{name}_int8", f"{name}_scale", f"{name}_zero_point"]
            nodes.append(helper.make_node("DequantizeLinear", inputs, [done[name]], axis=axis))
        node.input[1] = done[name]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def _add_grid(graph: Any, name: str, scale: float, zero: int, dtype: str) -> None:
    import numpy as np
    from onnx import numpy_helper

    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(scale, np.float32), f"{name}_io_scale"),
            numpy_helper.from_array(np.array(zero, dtype), f"{name}_io_zero_point"),
        ]
    )


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def reads(node: Any) -> Iterator[str]:
    """Tensors a node takes, those included that only the bodies of a loop or branch read."""
    yield from node.input
    for attribute in node.attribute:
        for body in [attribute.g, *attribute.graphs]:
            for inner in body.node:
                yield from reads(inner)


def attribute(node: Any, name: str, default: Any) -> Any:
    """An attribute's value, or what it is where the node does not say."""
    from onnx import helper

    found = next((entry for entry in node.attribute if entry.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def all_nodes(model: Any) -> Iterator[Any]:
    """Every node, those in bodies of loops and branches included."""
    for graph in _graphs(model.graph):
        yield from graph.node


def all_tensors(model: Any) -> Iterator[Any]:
    """Every constant that the file holds, as initializer or as attribute."""
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for node in graph.node:
            for entry in node.attribute:
                yield from ([entry.t] if entry.HasField("t") else [])
                yield from entry.tensors


def _input_grid(graph: Any, name: str) -> tuple[float, int] | None:
    users = [node for node in graph.node if name in node.input]
    if len(users) == 1 and users[0].op_type == "DequantizeLinear":
        return _grid(graph, users[0])
    return None


def _output_grid(graph: Any, name: str) -> tuple[float, int] | None:
    makers = [node for node in graph.node if name in node.output]
    if makers and makers[0].op_type == "QuantizeLinear":
        return _grid(graph, makers[0])
    return None


def _grid(graph: Any, node: Any) -> tuple[float, int]:
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
    return float(scale), int(zero)


def declared_shape(value: Any) -> tuple[int, ...]:
    """Sizes of an input's or output's axes; -1 where one is left open."""
    axes = value.type.tensor_type.shape.dim
    return tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in axes)


def _describe(value: Any, grid: tuple[float, int] | None) -> TensorInfo:
    return TensorInfo(
        name=value.name,
        dtype=dtype_name(value.type.tensor_type.elem_type),
        shape=declared_shape(value),
        scale=grid[0] if grid else None,
        zero_point=grid[1] if grid else None,
    )


def dtype_name(number: int) -> str:
    """numpy's name of an ONNX element type."""
    import onnx

    name: str = onnx.TensorProto.DataType.Name(number).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _onnx_dtype(dtype: str) -> str:
    return {"float32": "FLOAT"}.get(dtype, dtype.upper())
