"""What a model file says of itself: labels, normalisation, licence, in each format's own words.

`facts` is what there is to say; `tflite`, `onnx` and `openvino` say it where the format's own
readers look. Nothing a runtime computes with is changed.
"""
