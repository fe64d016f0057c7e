"""Float files that somebody else made, conditioned for int8 as edgekit's own models are.

`onnx_source` and `tflite_source` check a file and give it the form that the rest expects;
`onnx_graph` and `tflite_graph` read it as a graph of operators, which `walk` goes through to round
kernels and correct biases, the same for both formats. No TensorFlow.
"""
