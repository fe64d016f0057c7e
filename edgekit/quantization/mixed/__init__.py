"""Keep the layers of an int8 file that lose most in float, until the file meets its limit.

A mixed file is the plain int8 file with some layers rewritten (`tflite_mixing`, `onnx_mixing`,
`openvino_mixing`): all others keep every bit. Which ones is measured in the target's own runtime
(`ranking`) and searched within a time budget (`searching`); what it costs is measured, too
(`costing`). Judges nothing by the evaluation split: `edgekit.mixing` does.
"""
