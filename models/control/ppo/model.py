"""The actor of PPO (Schulman et al. 2017, arXiv 1707.06347): how much each action is preferred.

The critic that its training needs is built in `training.py` and is no part of what is exported.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int, states: int = 6, width: int = 64, depth: int = 2, scale: float = 4.0
) -> keras.Model:
    """Dense layers with tanh, as in the paper, between a state and preferences for actions.

    Args:
        classes: Actions.
        states: Numbers of a state.
        width: Units of a layer.
        depth: Layers.
        scale: What a state is divided by.

    Returns:
        float32 `state` [N, states] → float32 `logits` [N, classes]; the app takes the highest.
    """
    state = keras.Input((states,), name="state")
    x = layers.Rescaling(1 / scale, name="normalise")(state)
    for number in range(depth):
        x = layers.Dense(width, activation="tanh", name=f"dense{number}")(x)
    # Nearly alike at first: every action is tried (Andrychowicz et al. 2021, arXiv 2006.05990).
    small = keras.initializers.VarianceScaling(1e-4)
    return keras.Model(
        state, layers.Dense(classes, kernel_initializer=small, name="logits")(x), name="ppo"
    )
