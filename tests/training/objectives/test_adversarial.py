"""The two losses of networks against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.models import resolve_model
from edgekit.training.learner import Learner
from edgekit.training.objectives import objective_for
from edgekit.training.objectives.adversarial import draw_made, fooling, steepness, telling
from edgekit.training.recipe import Recipe, read_recipe
from edgekit.training.transfer import Start, build_started

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_the_losses_are_cross_entropies_of_what_the_critic_says():
    made, real = np.array([[2.0], [-1.0]], np.float32), np.array([[0.5], [3.0]], np.float32)

    def entropy(share: np.ndarray) -> float:
        return float(-np.log(share).mean())

    def real_with(scores: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-scores))

    assert float(fooling(made)) == pytest.approx(entropy(real_with(made)), rel=1e-5)
    wanted = entropy(real_with(real)) + entropy(1 - real_with(made))
    assert float(telling(real, made)) == pytest.approx(wanted, rel=1e-5)


def test_steepness_is_the_squared_length_of_a_linear_opinion():
    import keras
    import tensorflow as tf

    picture = keras.Input((3,))
    critic = keras.Model(picture, keras.layers.Dense(1)(picture))
    critic.set_weights([np.array([[1.0], [-2.0], [3.0]]), np.array([5.0])])
    assert float(steepness(critic, tf.random.normal((7, 3)))) == pytest.approx(1 + 4 + 9)


POINTS = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
PICTURES = np.random.default_rng(1).random((8, 32, 32, 1)).astype(np.float32)


def _learner(**changed) -> Learner:
    import keras

    keras.utils.set_random_seed(0)
    source = resolve_model("dcgan")
    recipe = replace(read_recipe(source.spec.train, source.spec.parameters, "dcgan"), **changed)
    model, _ = build_started(source, Start(), classes=0)
    return Learner(model, recipe, objective_for(source.spec.task, recipe, 0, source=source))


def test_maker_and_critic_both_learn_in_every_step():
    learner = _learner()
    before = learner.arrays()
    losses = [
        learner.train_step(POINTS, PICTURES, rate=1e-3, stage_step=step)[0] for step in range(6)
    ]
    assert losses[-1] < losses[0]  # the critic's, which learns to tell the two
    after = learner.arrays()
    for group in ("variables", "companions"):
        pairs = zip(before[group], after[group], strict=True)
        assert not any(np.array_equal(*pair) for pair in pairs)


def test_the_validation_loss_asks_no_critic():
    source = resolve_model("dcgan")
    objective = objective_for(source.spec.task, Recipe(), 0, source=source)
    assert objective.validation_loss([PICTURES + 0.5], PICTURES) == pytest.approx(0.25, rel=1e-4)


def test_momentum_is_the_share_of_the_mean_gradient_that_a_step_keeps():
    # After one step from nothing Adam's first moment is (1 - β₁) times the gradient.
    moments = []
    for momentum in (0.5, 0.9):
        learner = _learner(momentum=momentum)
        learner.train_step(POINTS, PICTURES, rate=0.0, stage_step=0)
        moments.append(max((one for one in learner.arrays()["optimizer"]), key=np.size))
    assert np.abs(moments[0]).max() > 0
    assert np.allclose(moments[0], 5 * moments[1], rtol=1e-3, atol=1e-9)


def test_made_pictures_are_drawn_over_real_ones(tmp_path):
    pictures = np.random.default_rng(0).random((60, 8, 8, 1))
    draw_made(pictures, pictures, tmp_path / "made.png")
    assert (tmp_path / "made.png").read_bytes().startswith(b"\x89PNG")
