"""Variants of the tiny int8 file that a microcontroller or an NPU meets otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.artifact import Artifact, describe_files, write_manifest
from edgekit.exporters.tflite_file import operator_code, pack, unpack
from edgekit.tensor import TensorInfo


def with_float_output(content):
    """The file with an operator at its end that turns its output into floats."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content)
    main = model.subgraphs[0]
    given = schema.TensorT()
    given.name, given.shape = b"real", main.tensors[main.outputs[0]].shape
    given.type, given.buffer = schema.TensorType.FLOAT32, 0
    main.tensors.append(given)
    last = schema.OperatorT()
    last.opcodeIndex = operator_code(model, "DEQUANTIZE", version=2)
    last.inputs = np.array(main.outputs, np.int32)
    last.outputs = np.array([len(main.tensors) - 1], np.int32)
    last.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
    last.builtinOptions = schema.DequantizeOptionsT()
    main.operators.append(last)
    main.outputs = last.outputs
    model.signatureDefs = []
    return pack(model)


def adding(content, *, scale):
    """A file that adds its input to itself, on a grid of this scale for the sum."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content)
    main = model.subgraphs[0]
    taken, given = main.tensors[main.inputs[0]], main.tensors[main.outputs[0]]
    given.shape, given.shapeSignature = taken.shape, None
    given.quantization.scale = np.array([scale], np.float32)
    only = schema.OperatorT()
    only.opcodeIndex = operator_code(model, "ADD", version=2)
    only.inputs = np.array([main.inputs[0], main.inputs[0]], np.int32)
    only.outputs = np.array(main.outputs, np.int32)
    only.builtinOptionsType, only.builtinOptions = (
        schema.BuiltinOptions.AddOptions,
        schema.AddOptionsT(),
    )
    main.operators = [only]
    model.signatureDefs = []
    return pack(model)


def selecting(content):
    """A file with an operator that microcontrollers' interpreter does not have."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(adding(content, scale=0.01))
    only = model.subgraphs[0].operators[0]
    only.opcodeIndex = operator_code(model, "ATAN2")
    only.builtinOptionsType, only.builtinOptions = schema.BuiltinOptions.NONE, None
    return pack(model)


def holding(artifact, content, **fields):
    """The artifact with another model file; keyword arguments replace fields of its manifest."""
    artifact.model_path.write_bytes(content)
    (artifact.path / "manifest.json").unlink()
    files = describe_files(artifact.path)
    write_manifest(artifact.path, replace(artifact.manifest, files=files, **fields))
    return Artifact.open(artifact.path)


REAL = TensorInfo("real", "float32", (1, 4))
