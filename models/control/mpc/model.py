"""The policy that is left of planning with a learned model of the world (arXiv 1708.02596).

Nagabandi et al. 2018: a network learns how a state changes under an action, a planner imagines
plans with it, and a policy is trained to do what the planner would (their section V; Ross et al.
2011, arXiv 1011.0686). Model and planner are in `training.py`. The policy alone is exported: it
answers in one pass, and in 8 bits, where a state imagined over twelve steps is lost.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int, states: int = 4, width: int = 48, depth: int = 2, scale: float = 1.0
) -> keras.Model:
    """Dense layers between a state and how surely the planner takes each action.

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
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
    return keras.Model(state, layers.Dense(classes, name="logits")(x), name="mpc")
