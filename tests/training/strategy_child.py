"""Train a few steps of a tiny model in one process, as a test asked, and write its weights.

Arguments: strategy ("none", "mirrored" with two logical CPUs, "multiworker"), output `.npz`, "clip"
to clip.
"""

from __future__ import annotations

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np

from edgekit.loading import import_tensorflow


def main(strategy, out, clip):
    tf = import_tensorflow("testing")
    import keras

    from edgekit.training.learner import Learner
    from edgekit.training.objectives import objective_for
    from edgekit.training.recipe import Recipe
    from edgekit.training.strategy import open_replicas, read_workers

    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    workers = read_workers(strategy)
    replicas = open_replicas(strategy, workers)
    assert replicas.count == (1 if strategy == "none" else 2)
    assert replicas.agreed([workers.index, 7]) == [(workers.count - 1) / 2, 7]
    keras.utils.set_random_seed(1)
    with replicas.scope():
        x = keras.Input((6,))
        y = keras.layers.Dense(5, activation="tanh", kernel_regularizer="l2")(x)
        y = keras.layers.BatchNormalization(momentum=0.9, trainable=False)(y)
        model = keras.Model(x, keras.layers.Dense(3)(y))
        recipe = Recipe(optimizer="sgd", ema=0.9, clip_norm=0.05 if clip else None)
        objective = objective_for("image-classification", recipe, 3)
        learner = Learner(model, recipe, objective, replicas=replicas)
    random = np.random.default_rng(0)
    figures = []
    for step in range(6):
        inputs = random.normal(size=(8, 6)).astype(np.float32) * np.linspace(1, 9, 8)[:, None]
        labels = random.integers(0, 3, 8)
        inputs, labels = (a[workers.index :: workers.count] for a in (inputs, labels))
        figures.append(
            learner.train_step(inputs.astype(np.float32), labels, rate=0.1, stage_step=step)
        )
    arrays = learner.arrays()
    named = {f"{k}{i}": a for k, group in arrays.items() for i, a in enumerate(group)}
    np.savez(out, figures=np.array(figures), **named)


main(sys.argv[1], sys.argv[2], "clip" in sys.argv)
