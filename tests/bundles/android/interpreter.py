"""LiteRT for `stubs/org/tensorflow/lite/Interpreter.java`: a model, then samples, by pipes."""

from __future__ import annotations

import struct
import sys

from ai_edge_litert.interpreter import Interpreter

read, write = sys.stdin.buffer.read, sys.stdout.buffer.write


def frame():
    size = read(4)
    if not size:
        raise SystemExit
    return read(struct.unpack(">i", size)[0])


def text(word):
    return struct.pack(">H", len(word.encode())) + word.encode()


def told(details):
    parts = [struct.pack(">i", len(details))]
    for one in details:
        shape = [int(size) for size in one["shape"]]
        count = one["dtype"]().itemsize
        for size in shape:
            count *= size
        parts += [
            text(one["name"]), text(one["dtype"].__name__.upper()),
            struct.pack(f">i{len(shape)}i", len(shape), *shape), struct.pack(">i", count),
        ]  # fmt: skip
    return b"".join(parts)


def main():
    import numpy as np

    interpreter = Interpreter(model_content=frame(), num_threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    write(told(inputs) + told(outputs))
    sys.stdout.flush()
    while True:
        for one in inputs:
            values = np.frombuffer(frame(), one["dtype"]).reshape(one["shape"])
            interpreter.set_tensor(one["index"], values)
        interpreter.invoke()
        for one in outputs:
            made = interpreter.get_tensor(one["index"]).tobytes()
            write(struct.pack(">i", len(made)) + made)
        sys.stdout.flush()


main()
