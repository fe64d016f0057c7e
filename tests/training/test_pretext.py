from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.errors import DataError, ModelError, UsageError
from edgekit.models import resolve_model
from edgekit.training.objectives.contrastive import Queued, nt_xent
from edgekit.training.pretext import Pretext, pairs, projected, read_pretext, two_views
from edgekit.training.recipe import Recipe
from edgekit.training.transfer import Start, build_started
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def split_tiny(tiny):
    """The tiny model, its head named, with a few short epochs without labels."""
    code = (tiny / "model.py").read_text()
    code = code.replace("GlobalAveragePooling2D()", "GlobalAveragePooling2D(name='pool')")
    (tiny / "model.py").write_text(code)
    with (tiny / "model.toml").open("a") as toml:
        toml.write(
            '[transfer]\nfeatures = "pool"\n'
            "[train.pretrain]\nepochs = 5\nbatch_size = 64\nqueue = 256\nvector = 16\n"
        )
    return tiny


def history_of(result):
    return json.loads((result.trained.folder / "history.json").read_text())["history"]


def test_the_loss_of_two_pictures_is_what_pencil_and_paper_give():
    import tensorflow as tf

    # First views along x and y, second views too: each is its own picture's exactly, at right
    # angles to the rest. With a temperature of 0.5: −ln(e² / (e² + 1 + 1)).
    views = tf.constant([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0], [0.0, 0.5]])
    assert float(nt_xent(views, 0.5)) == pytest.approx(-np.log(np.e**2 / (np.e**2 + 2)), rel=1e-5)
    # Second views swapped: each is told to be like what it is at right angles to.
    swapped = tf.gather(views, [0, 1, 3, 2])
    assert float(nt_xent(swapped, 0.5)) == pytest.approx(-np.log(1 / (np.e**2 + 2)), rel=1e-5)


def test_two_views_of_each_picture_differ_and_repeat_with_the_seed():
    import tensorflow as tf

    spec = resolve_model("lenet").spec
    recipe = read_pretext("simclr", {}, {}, "x")[1]
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3)).astype(np.uint8)
    views = two_views(recipe, spec.inputs[0])
    made, labels = views(tf.constant(pictures), tf.range(6), tf.constant([3, 4]))
    again, _ = views(tf.constant(pictures), tf.range(6), tf.constant([3, 4]))
    assert made.shape == (12, 32, 32, 3)
    assert labels.numpy().tolist() == [*range(6), *range(6)]
    assert np.array_equal(made, again)
    assert not np.array_equal(made[:6], made[6:])
    judged, which = pairs(recipe, spec.inputs[0], pictures)
    assert np.array_equal(judged, pairs(recipe, spec.inputs[0], pictures)[0])
    assert not np.array_equal(judged[:6], judged[6:])
    assert which.tolist() == labels.numpy().tolist()


def test_the_queue_keeps_the_newest_keys_and_the_slow_encoder_follows():
    import keras

    def again():
        vector = keras.Input((4,))
        return keras.Model(vector, keras.layers.Dense(3, use_bias=False)(vector))

    pretext = Pretext("moco", vector=3, queue=10, momentum=0.9)
    objective = Queued(Recipe(), pretext, again)
    model = again()
    slow, queue = objective.companions(model)
    assert np.array_equal(slow.get_weights()[0], model.get_weights()[0])
    assert slow.trainable_variables == queue.trainable_variables == []
    assert int(queue.filled) == 0
    model.set_weights([model.get_weights()[0] + 1])
    began = slow.get_weights()[0]
    views = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    plays, _ = objective.plays(model, views, np.zeros(6))
    # An empty queue: there is nothing to tell the own key from.
    assert float(plays[0].loss) == pytest.approx(0.0, abs=1e-6)
    moved = slow.get_weights()[0]
    assert np.allclose(moved - began, 0.1 * (model.get_weights()[0] - began), atol=1e-5)
    first = queue.keys.numpy()[:6]
    keys = views @ moved
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    assert np.allclose(first, np.roll(keys, 3, axis=0), atol=1e-5)
    plays, outputs = objective.plays(model, views[::-1].copy(), np.zeros(6))
    # The loss is that of each view with the other's key, and with what was in the queue before.
    kept = queue.keys.numpy()
    assert np.array_equal(kept[6:], first[:4])
    assert int(queue.filled) == 10
    asked = np.asarray(outputs[0])
    asked = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    logits = np.concatenate([(asked * kept[:6]).sum(1, keepdims=True), asked @ first.T], axis=1)
    logits /= pretext.temperature
    expected = (np.log(np.exp(logits).sum(1)) - logits[:, 0]).mean()
    assert float(plays[0].loss) == pytest.approx(expected, rel=1e-4)


def test_a_queue_holds_no_older_views_of_the_pictures_of_a_batch():
    assert Pretext("moco").fitted(100_000).queue == 4096
    assert Pretext("moco").fitted(1000).queue == 500  # of the 2,000 views of an epoch


@pytest.mark.parametrize("method", ["simclr", "moco"])
def test_the_loss_falls_and_the_weights_begin_another_training(
    method, split_tiny, colours, tmp_path
):
    result = train_model(str(split_tiny), data=colours, pretrain=method, out=tmp_path / method)
    history = history_of(result)
    # A queue that is not yet full is easily told apart: MoCo's own loss rises.
    if method == "simclr":
        assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    assert result.trained.validation.name == "rank1"
    assert (tmp_path / method / "views.png").is_file()
    weights = result.trained.weights
    assert result.next_command.endswith(f"--data {colours} --from {weights}")
    assert result.to_json()["train_command"] == result.next_command
    model, fresh = build_started(resolve_model(str(split_tiny)), Start(weights), classes=3)
    assert fresh == ("logits",)
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)
    after = train_model(
        str(split_tiny), data=colours, begin=str(weights), epochs=1, out=tmp_path / "after"
    )
    assert after.trained.fresh == ("logits",)


@pytest.mark.parametrize("method", ["simclr", "moco"])
def test_a_stopped_training_without_labels_goes_on_as_if_it_had_not(
    method, split_tiny, colours, tmp_path
):
    class Stop(Exception):
        pass

    def stop(progress):
        if "epoch 3/5" in progress.note:
            raise Stop

    asked = {"data": colours, "pretrain": method}
    whole = train_model(str(split_tiny), **asked, out=tmp_path / "whole")
    with pytest.raises(Stop):
        train_model(str(split_tiny), **asked, out=tmp_path / "run", report=stop)
    resumed = train_model(str(split_tiny), **asked, out=tmp_path / "run")
    assert resumed.trained.resumed_at == 2
    for mine, other in zip(history_of(resumed), history_of(whole), strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-3)
    with pytest.raises(DataError, match="differs from this one") as caught:
        train_model(str(split_tiny), data=colours, epochs=5, batch_size=64, out=tmp_path / "run")
    assert any(detail.startswith("pretext: was ") for detail in caught.value.details)


def test_pictures_without_any_labels_are_enough(split_tiny, tmp_path):
    from PIL import Image

    random = np.random.default_rng(0)
    (tmp_path / "loose").mkdir()
    for number in range(60):
        pixels = random.integers(0, 255, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "loose" / f"{number}.png")
    result = train_model(
        str(split_tiny), data=tmp_path / "loose", pretrain="simclr", epochs=1, out=tmp_path / "run"
    )
    source = resolve_model(str(split_tiny))
    _, fresh = build_started(source, Start(result.trained.weights), classes=7)
    assert fresh == ("logits",)
    with pytest.raises(DataError, match="only 60 loose pictures"):
        train_model(str(split_tiny), data=tmp_path / "loose", out=tmp_path / "other")


@pytest.mark.parametrize(
    "name", ["lenet", "vit", "capsule-network", "unet", "variational-autoencoder"]
)
def test_backbones_of_the_reference_models_get_a_projection(name):
    source = resolve_model(name)
    model, _ = build_started(source, Start(), classes=10)
    pretext = Pretext("simclr", vector=24)
    made = projected(model, source, pretext)
    size = source.spec.inputs[0].shape
    assert made(np.zeros((2, *size), np.uint8)).shape == (2, 24)
    ids = {id(weight) for weight in model.weights}
    shared = [weight for weight in made.weights if id(weight) in ids]
    assert len(shared) == len(made.weights) - 4  # two layers of the projection


def test_what_cannot_be_trained_without_labels_is_refused(tiny, colours, tmp_path):
    with pytest.raises(ModelError, match="where the backbone ends") as caught:
        train_model(str(tiny), data=colours, pretrain="simclr", out=tmp_path / "run")
    assert "[transfer] features" in caught.value.hint
    with pytest.raises(ModelError, match="whose one input is a picture"):
        train_model("gru", pretrain="moco", out=tmp_path / "run")
    with pytest.raises(DataError, match="15 pictures of glyphs: pre-training tells each"):
        train_model("lenet", pretrain="moco", train_samples=15, out=tmp_path / "run")
    for wrong in ({"freeze": 1}, {"head_only": True}, {"install": True}):
        with pytest.raises(UsageError, match="whose head is still to come"):
            train_model("lenet", pretrain="moco", out=tmp_path / "run", **wrong)


def test_the_table_for_pretraining_is_laid_over_the_recipe_and_its_views_over_the_usual_ones():
    table = {
        "epochs": 3,
        "batch_size": 32,
        "augment": {"mixup": 0.2},
        "pretrain": {"epochs": 9, "temperature": 0.5, "augment": {"flip": "horizontal"}},
    }
    pretext, recipe = read_pretext("moco", table, {}, "m/model.toml: train")
    assert (pretext.temperature, pretext.queue) == (0.5, 4096)
    assert (recipe.epochs, recipe.batch_size) == (9, 32)
    assert (recipe.augment.flip, recipe.augment.mixup, recipe.augment.crop) == (
        "horizontal",
        0.0,
        0.3,
    )
    for wrong, complaint in (
        ({"temprature": 1.0}, "unknown key temprature"),
        ({"temperature": 0.0}, "temperature: 0"),
        ({"augment": {"mixup": 0.5}}, "a mixture of two pictures is a view of none"),
    ):
        with pytest.raises(ModelError, match=complaint):
            read_pretext("moco", {"pretrain": wrong}, {}, "m/model.toml: train")
