from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.datasets.glyphs import Glyphs
from edgekit.errors import DataError, FileError, ModelError
from edgekit.loading import build_keras
from edgekit.models import resolve_model
from edgekit.progress import silent
from edgekit.training.checkpoint import rounded
from edgekit.training.course import Course
from edgekit.training.learner import Learner
from edgekit.training.objectives import objective_for
from edgekit.training.recipe import Stage, read_recipe
from edgekit.training.run import train
from edgekit.training.transfer import Start
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PNG = b"\x89PNG\r\n\x1a\n"


def recipe_of(source, **changes):
    recipe = read_recipe(source.spec.train, source.spec.parameters, "tiny")
    return replace(recipe, **changes)


def weights_of(path):
    import h5py

    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def learner_of(model, recipe):
    return Learner(model, recipe, objective_for("image-classification", recipe, 3))


@pytest.fixture(scope="module")
def learnt(write_tiny, colours, tmp_path_factory):
    """A training of six epochs and what it told; tests read it."""
    tmp_path = tmp_path_factory.mktemp("learnt")
    model, seen = write_tiny(tmp_path / "tiny"), []
    out = tmp_path / "run"
    return train_model(str(model), data=colours, epochs=6, out=out, report=seen.append), seen


def test_the_loss_falls_the_metric_rises_and_the_run_folder_holds_everything(learnt):
    result, seen = learnt
    run = result.trained
    history = json.loads((run.folder / "history.json").read_text())["history"]
    losses = [entry["loss"] for entry in history]
    assert losses[-1] < 0.7 * losses[0]
    # Chance is 33 points; 60 of 90 right by chance is a one in ten billion event.
    assert run.test.value > 66
    assert run.test.samples == 90
    assert run.epochs == 6
    for picture in ("curves.png", "predictions.png"):
        assert (run.folder / picture).read_bytes().startswith(PNG)
    assert run.weights == run.folder / "colours.weights.h5"
    assert seen[-1].done <= seen[-1].total
    assert any("epoch 6/6" in step.note and "left" in step.note for step in seen)
    assert {path.name for path in run.folder.iterdir()} == {
        "state.npz", "history.json", "curves.png", "predictions.png", "colours.weights.h5",
        "report.html", "logs",
    }  # fmt: skip


def test_weights_of_a_run_start_another_and_the_export_command_names_them(
    learnt, tiny, colours, tmp_path
):
    first = learnt[0]
    assert str(first.trained.weights) in first.next_command
    second = train_model(
        str(tiny), data=colours, epochs=1, out=tmp_path / "b", begin=str(first.trained.weights),
        board=tmp_path / "logs",
    )  # fmt: skip
    begun = json.loads((tmp_path / "b" / "history.json").read_text())["history"][0]["loss"]
    fresh = json.loads((first.trained.folder / "history.json").read_text())["history"][0]["loss"]
    assert begun < 0.8 * fresh
    assert second.trained.test.value > 60
    assert len(list((tmp_path / "logs").iterdir())) == 1
    assert not (tmp_path / "b" / "logs").exists()


def test_install_puts_the_weights_where_export_looks_for_them(tiny, colours, tmp_path):
    result = train_model(str(tiny), data=colours, epochs=1, out=tmp_path / "run", install=True)
    assert result.installed == resolve_model(str(tiny)).weights_for("colours")
    assert result.installed.read_bytes() == result.trained.weights.read_bytes()
    assert f"--weights {result.installed}" in result.next_command


def test_a_stage_goes_on_with_the_weights_of_the_one_before(tiny, tmp_path):
    import keras

    source = resolve_model(str(tiny), parameters={"size": 32})
    # Without a learning rate the kernels stay as they were first made, stage after stage.
    recipe = recipe_of(
        source,
        stages=(Stage(1, {"size": 16}), Stage(1)),
        learning_rate=0.0,
        samples_per_epoch=20,
        validation_samples=36,
    )
    run = train(source, open_dataset("glyphs"), recipe, folder=tmp_path / "run", seed=3)
    keras.utils.set_random_seed(3)
    begun = build_keras(source, weights=None, classes=36)
    kept = build_keras(source, weights=run.weights, classes=36)
    assert np.array_equal(rounded(begun.get_weights()[0]), kept.get_weights()[0])
    history = json.loads((run.folder / "history.json").read_text())["history"]
    assert [entry["stage"] for entry in history] == [0, 1]


def test_stages_of_a_model_made_smaller_shrink_with_it(tiny, colours, tmp_path):
    toml = (tiny / "model.toml").read_text().replace("size = 16", "size = 32")
    stages = (
        "[[train.stages]]\nepochs = 2\nparameters = { size = 24 }\n[[train.stages]]\nepochs = 1\n"
    )
    (tiny / "model.toml").write_text(toml + stages)
    result = train_model(str(tiny), data=colours, parameters={"size": 16}, out=tmp_path / "run")
    document = json.loads((result.trained.folder / "history.json").read_text())
    assert document["recipe"]["stages"] == [{"epochs": 3, "parameters": {}}]
    assert [entry["stage"] for entry in document["history"]] == [0, 0, 0]


@pytest.mark.parametrize(
    ("size", "batch", "steps"), [(5, 5, 1), (118, 16, 7), (300, 37, 8), (1024, 128, 8)]
)
def test_an_epoch_of_a_small_data_set_is_one_pass_in_several_steps(size, batch, steps, tmp_path):
    course = course_of_mobilenet(FewGlyphs(size), tmp_path)
    assert (course.batch_size, course.steps_per_epoch) == (batch, steps)


def test_a_recipe_can_see_some_of_the_samples_only(tmp_path):
    course = course_of_mobilenet(open_dataset("glyphs"), tmp_path)
    course = replace(course, recipe=replace(course.recipe, train_samples=300))
    assert (course.train_size, course.batch_size, course.steps_per_epoch) == (300, 37, 8)


def test_an_epoch_of_the_reference_model_on_its_own_data_is_what_its_recipe_says(tmp_path):
    course = course_of_mobilenet(open_dataset("glyphs"), tmp_path)
    assert (course.batch_size, course.steps_per_epoch) == (128, 240)


class FewGlyphs(Glyphs):
    def __init__(self, count):
        super().__init__()
        self._count = count

    def size(self, split):
        return self._count


def course_of_mobilenet(dataset, folder):
    source = resolve_model("mobilenet")
    recipe = read_recipe(source.spec.train, source.spec.parameters, "mobilenet")
    return Course(source, source.spec, dataset, recipe, 0, Start(), folder, silent)


def test_normalisation_statistics_are_those_of_the_data_after_a_few_steps(tiny):
    import keras

    source = resolve_model(str(tiny))
    recipe = recipe_of(source, learning_rate=0.0, batch_norm_momentum=0.99)
    model = build_keras(source, weights=None, classes=3)
    learner = learner_of(model, recipe)
    inputs = np.random.default_rng(0).integers(0, 60, (64, 16, 16, 3)).astype(np.uint8)
    for step in range(20):
        learner.train_step(inputs, np.arange(64) % 3, rate=0.0, stage_step=step)
    norm = next(
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    before = keras.Model(model.inputs[0], norm.input)(inputs).numpy()
    assert np.allclose(norm.moving_mean, before.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
    assert np.allclose(norm.moving_variance, before.var(axis=(0, 1, 2)), rtol=1e-2, atol=1e-4)


def test_late_in_a_stage_normalisation_statistics_move_at_the_momentum_of_the_recipe(tiny):
    source = resolve_model(str(tiny))
    recipe = recipe_of(source, batch_norm_momentum=0.9)
    inputs = np.random.default_rng(0).integers(0, 60, (64, 16, 16, 3)).astype(np.uint8)
    model = build_keras(source, weights=None, classes=3)
    learner_of(model, recipe).train_step(inputs, np.arange(64) % 3, rate=0.0, stage_step=5000)
    # A variance begins at 1; that of these dark pictures is far below 0.5.
    variance = next(np.array(v) for v in model.weights if "moving_variance" in v.path)
    assert ((variance >= 0.9) & (variance < 0.95)).all()


def test_a_stage_that_changes_the_layers_is_refused(tiny, colours, tmp_path):
    source = resolve_model(str(tiny))
    recipe = recipe_of(source, stages=(Stage(1, {"channels": 4}), Stage(1)))
    with pytest.raises(ModelError, match=r"weights of this model do not fit .* shape"):
        train(source, open_dataset(colours), recipe, folder=tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_last_epoch(
    tiny, colours, tmp_path
):
    source = resolve_model(str(tiny))
    recipe = recipe_of(source, stages=(Stage(2),), learning_rate=100.0, optimizer="sgd", ema=0.0)
    (tiny / "model.py").write_text(
        (tiny / "model.py").read_text().replace("ReLU(6.0)", "Activation('exponential')")
    )
    with pytest.raises(
        ModelError, match=r"the loss became (nan|inf) in epoch \d, step \d"
    ) as caught:
        train(source, open_dataset(colours), recipe, folder=tmp_path / "run")
    assert "learning_rate" in caught.value.hint


def test_a_run_folder_of_another_training_is_left_alone_unless_told(
    learnt, contents, tiny, colours, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(learnt[0].trained.folder, run)
    before = contents(run)
    with pytest.raises(DataError, match="differs from this one") as caught:
        train_model(str(tiny), data=colours, epochs=6, seed=5, out=run)
    assert caught.value.details == ("seed: was 0, now 5",)
    assert contents(run) == before
    again = train_model(str(tiny), data=colours, epochs=1, seed=5, out=run, resume=False)
    assert (again.trained.resumed_at, again.trained.epochs) == (0, 1)


def test_a_training_that_fails_at_once_leaves_no_folder(tiny, colours, tmp_path):
    (tiny / "model.py").write_text(
        "def build(classes, channels, size):\n    raise ValueError('no')"
    )
    with pytest.raises(ModelError, match=r"build\(\) failed"):
        train_model(str(tiny), data=colours, out=tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists()


def test_a_file_in_the_place_of_the_run_folder_is_refused_and_kept(tiny, colours, tmp_path):
    (tmp_path / "notes").write_text("mine")
    for out in (tmp_path / "notes", tmp_path / "notes" / "run"):
        with pytest.raises(FileError, match="notes: a file") as caught:
            train_model(str(tiny), data=colours, out=out)
        assert caught.value.hint.startswith("--out")
    assert (tmp_path / "notes").read_text() == "mine"


def test_data_without_labels_or_model_without_folder_is_refused(tiny, tmp_path):
    np.savez(tmp_path / "bare.npz", x=np.zeros((40, 16, 16, 3), np.uint8))
    with pytest.raises(DataError, match="training needs labels of at least two classes"):
        train_model(str(tiny), data=tmp_path / "bare.npz", out=tmp_path / "run")
    with pytest.raises(DataError, match="names no data set"):
        train_model(str(tiny), out=tmp_path / "run")
    with pytest.raises(ModelError, match="no such weights file"):
        train_model(
            str(tiny), dataset="glyphs", begin=str(tmp_path / "no.h5"), out=tmp_path / "run"
        )


def test_the_figures_reported_are_those_of_the_weights_in_the_file(learnt, tiny, colours):
    result = learnt[0]
    dataset = open_dataset(colours)
    source = resolve_model(str(tiny))
    model = build_keras(source, weights=result.trained.weights, classes=3)
    samples = dataset.read("test", range(dataset.size("test")), source.spec.inputs[0])
    guesses = model(samples.inputs).numpy().argmax(axis=1)
    assert result.trained.test.value == pytest.approx(100 * (guesses == samples.labels).mean())
    kernels = [weights for weights in model.get_weights() if weights.ndim > 1]
    assert kernels
    assert all(np.array_equal(rounded(kernel), kernel) for kernel in kernels)


def test_epochs_without_a_better_one_end_a_stage_early_and_the_next_begins(tiny, colours, tmp_path):
    source = resolve_model(str(tiny), parameters={"size": 16})
    # Nothing moves, so no epoch after the first is better.
    stages = (Stage(20, {"size": 15}), Stage(30))
    recipe = recipe_of(
        source, stages=stages, learning_rate=0.0, ema=0.0, batch_norm_momentum=0.0, patience=3
    )
    recipe = replace(recipe, batch_norm_momentum=None, samples_per_epoch=20, validation_samples=36)
    for layer in ("BatchNormalization()", "Dropout(0.1)"):
        code = (tiny / "model.py").read_text().replace(f"keras.layers.{layer}(x)", "x")
        (tiny / "model.py").write_text(code)
    seen = []
    run = train(source, open_dataset("glyphs"), recipe, folder=tmp_path / "run", report=seen.append)
    history = json.loads((run.folder / "history.json").read_text())["history"]
    assert [(entry["stage"], entry["epoch"]) for entry in history] == [
        *((0, epoch) for epoch in range(1, 5)),
        *((1, epoch) for epoch in range(21, 25)),
    ]
    assert [entry["best"] for entry in history] == [True, False, False, False] * 2
    assert run.epochs == 8
    again = train(source, open_dataset("glyphs"), recipe, folder=tmp_path / "run")
    assert (again.resumed_at, again.epochs) == (50, 8)


def test_the_scalars_of_every_epoch_are_logged(learnt):
    import tensorflow as tf

    folder = learnt[0].trained.folder
    history = json.loads((folder / "history.json").read_text())["history"]
    (file,) = (folder / "logs").iterdir()
    logged = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            logged[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for entry in history:
        for name in ("loss", "validation", "learning_rate"):
            assert logged[name, entry["epoch"]] == pytest.approx(entry[name], rel=1e-6)


def test_augmented_epochs_are_the_same_after_a_stop(tiny, colours, tmp_path):
    with (tiny / "model.toml").open("a") as toml:
        toml.write("[train.augment]\nrotate = 20\nmixup = 0.3\n")
    asked = {"data": colours, "epochs": 3}

    class Stop(Exception):
        pass

    def stop(progress):
        if "epoch 2/3" in progress.note and progress.done > 0.5 * progress.total:
            raise Stop

    with pytest.raises(Stop):
        train_model(str(tiny), **asked, out=tmp_path / "stopped", report=stop)
    runs = [train_model(str(tiny), **asked, out=tmp_path / name) for name in ("stopped", "whole")]
    assert [run.trained.resumed_at for run in runs] == [1, 0]
    stopped, whole = (
        json.loads((run.trained.folder / "history.json").read_text())["history"] for run in runs
    )
    for mine, other in zip(stopped, whole, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-4)


def test_a_run_stopped_twice_resumes_at_its_last_epoch_and_ends_as_if_never_stopped(
    tiny, colours, tmp_path
):
    begun = [0]
    for how in (signal.SIGINT, signal.SIGKILL):
        moment = random.randrange(15, 40)  # of 13 steps an epoch: in the second or third
        said, status = stop(how, moment, tiny, colours, tmp_path / "stopped")
        assert status != 0
        if how is signal.SIGINT:
            assert "the same command goes on after the last finished epoch" in said
        resumed = json.loads((tmp_path / "stopped" / "history.json").read_text())["history"]
        begun.append(len(resumed))
        assert begun[-2] < begun[-1] < 8, moment

    resumed = train_model(str(tiny), data=colours, epochs=8, out=tmp_path / "stopped")
    straight = train_model(str(tiny), data=colours, epochs=8, out=tmp_path / "straight")
    assert begun[-1] == resumed.trained.resumed_at
    assert resumed.trained.epochs == straight.trained.epochs == 8
    a, b = weights_of(resumed.trained.weights), weights_of(straight.trained.weights)
    assert a.keys() == b.keys()
    assert all(np.allclose(a[name], b[name], atol=1e-4) for name in a)
    assert resumed.trained.test == straight.trained.test
    leftovers = [p.name for p in resumed.trained.folder.iterdir() if p.name.startswith(".")]
    assert leftovers == []


def stop(how, moment, model, data, out):
    """Train in a process of its own and end it at its step `moment`; what it said, its status."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgekit", "train", str(model), "--data", str(data)),
            *("--epochs", "8", "--out", str(out), "--verbose"),
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with process:
        steps = 0
        for line in process.stderr:
            steps += "samples/s" in line
            if steps == moment:
                os.kill(process.pid, how)
                break
        said = process.stderr.read()
    return said, process.returncode
