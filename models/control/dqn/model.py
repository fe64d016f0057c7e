"""DQN (Mnih et al. 2015, doi:10.1038/nature14236): the worth of each action in a state.

The paper's network reads pictures of a game through convolutions; here the state is a handful of
numbers, so two dense layers take their place.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int, states: int = 4, width: int = 64, depth: int = 2, scale: float = 2.0
) -> keras.Model:
    """Dense layers between a state and the worth of each action.

    Args:
        classes: Actions.
        states: Numbers of a state.
        width: Units of a layer.
        depth: Layers.
        scale: What a state is divided by.

    Returns:
        float32 `state` [N, states] → float32 `values` [N, classes].
    """
    state = keras.Input((states,), name="state")
    x = layers.Rescaling(1 / scale, name="normalise")(state)
    for number in range(depth):
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
    return keras.Model(state, layers.Dense(classes, name="values")(x), name="dqn")
