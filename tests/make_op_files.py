"""Make files of ops for delegates: many that don't know each other, in float and in 8 bits, and
products of matrices whose second operand has the zero point 0 (even), or another (uneven).

python make_op_files.py FOLDER; run in a child: TensorFlow stays out of pytest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SHAPE = (1, 8, 8, 4)


def main(folder: Path) -> None:
    import tensorflow as tf

    edge = [[0, 0], [1, 1], [1, 1], [0, 0]]

    def ops(x):
        positive = x + 4.0
        return [
            tf.abs(x),
            tf.argmax(x, -1, output_type=tf.int32),
            tf.nn.avg_pool2d(x, 2, 2, "VALID"),
            tf.matmul(x, positive, transpose_b=True),  # of a zero point that is not 0
            tf.broadcast_to(x[:, :1], SHAPE),
            tf.cast(tf.cast(x, tf.int32), tf.float32),
            tf.cumsum(x, 1),
            x / positive,
            tf.exp(x),
            tf.math.floormod(tf.cast(x * 4.0, tf.int32), 3),
            tf.gather(x, [0, 2], axis=2),
            tf.nn.gelu(tf.tanh(x)),  # of x itself the converter no longer finds it
            x > 0.5,
            x * tf.nn.relu6(x + 3.0) / 6.0,
            tf.math.l2_normalize(x, -1),
            tf.math.log(positive),
            tf.nn.log_softmax(x),
            tf.maximum(x, x[:, :1]),
            tf.pad(x, edge, "REFLECT"),
            tf.stack([x, positive], 1),
            tf.pow(positive, 2.5),
            -0.2 * tf.nn.relu(-x),
            tf.nn.relu6(tf.tanh(x)),
            tf.image.resize(x, (16, 16), "nearest"),
            tf.math.rsqrt(positive),
            tf.where(x > 0, x, 0.5 * x),
            tf.nn.softmax(x),
            tf.sqrt(positive),
            tf.math.squared_difference(x, x[:, :1]),
            x[:, ::2],
            tf.tile(x, [1, 1, 1, 3]),
            tf.math.top_k(x, 2)[0],
            # What XNNPACK does take.
            tf.tanh(x),
            tf.pad(x, edge),
            tf.image.resize(x, (16, 16)),
            tf.nn.depth_to_space(x, 2),
            tf.reduce_mean(x, [1, 2]),
        ]

    traced = tf.function(ops, input_signature=[tf.TensorSpec(SHAPE)]).get_concrete_function()
    for name, quantized in (("float", False), ("int8", True)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
        if quantized:
            random = np.random.default_rng(0)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda random=random: (
                [random.uniform(-2, 2, SHAPE).astype(np.float32)] for _ in range(4)
            )
        (folder / f"{name}.tflite").write_bytes(converter.convert())
    product = tf.function(tf.matmul, input_signature=[tf.TensorSpec((1, 8, 8))] * 2)
    for name, lowest in (("even", -2.0 * 128 / 127), ("uneven", 0.0)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [product.get_concrete_function()]
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        values = np.linspace(lowest, 2.0, 64, dtype=np.float32).reshape(1, 8, 8)
        converter.representative_dataset = lambda values=values: iter([[values, values]])
        (folder / f"{name}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
