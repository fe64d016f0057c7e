from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.errors import ModelError, UsageError
from edgekit.files import cache_folder
from edgekit.models import resolve_model
from edgekit.training.transfer import Start, build_started, find_start, split_at
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def split_tiny(tiny):
    """The tiny model, its head named."""
    code = (tiny / "model.py").read_text()
    code = code.replace("GlobalAveragePooling2D()", "GlobalAveragePooling2D(name='pool')")
    code = code.replace("use_bias=False)", "use_bias=False, name='first')")
    (tiny / "model.py").write_text(code)
    with (tiny / "model.toml").open("a") as toml:
        toml.write('[transfer]\nfeatures = "pool"\n')
    return tiny


@pytest.fixture
def checkpoint(split_tiny, tmp_path):
    """Weights of the tiny model for two classes."""
    from edgekit.training.checkpoint import save_weights

    model, _ = build_started(resolve_model(str(split_tiny)), Start(), classes=2)
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 1, weight.shape))
    path = tmp_path / "two.weights.h5"
    save_weights(model, path)
    return path


def history_of(result):
    return json.loads((result.trained.folder / "history.json").read_text())["history"]


def test_a_head_for_other_classes_begins_anew_and_the_backbone_is_taken(split_tiny, checkpoint):
    import keras

    source = resolve_model(str(split_tiny))
    old, _ = build_started(source, Start(checkpoint), classes=2)
    keras.utils.set_random_seed(7)
    untouched, _ = build_started(source, Start(), classes=3)
    keras.utils.set_random_seed(7)
    model, fresh = build_started(source, Start(checkpoint), classes=3)
    assert fresh == ("logits",)
    assert np.array_equal(
        model.get_layer("first").get_weights()[0], old.get_layer("first").get_weights()[0]
    )
    for mine, other in zip(
        model.get_layer("logits").get_weights(),
        untouched.get_layer("logits").get_weights(),
        strict=True,
    ):
        assert np.array_equal(mine, other)


def test_a_checkpoint_of_another_backbone_is_refused_with_the_layers(split_tiny, checkpoint):
    wider = resolve_model(str(split_tiny), parameters={"channels": 12})
    with pytest.raises(ModelError, match="do not fit the model: first, batch_normalization") as e:
        build_started(wider, Start(checkpoint), classes=2)
    assert "only layers after 'pool' may differ" in e.value.details
    assert "--set" in e.value.hint


def test_without_a_named_head_every_layer_must_fit(split_tiny, checkpoint):
    toml = split_tiny / "model.toml"
    toml.write_text(toml.read_text().replace("[transfer]\nfeatures", "[transfer]\n#"))
    source = resolve_model(str(split_tiny))
    assert build_started(source, Start(checkpoint), classes=2)[1] == ()
    with pytest.raises(ModelError, match="do not fit the model: logits have another") as caught:
        build_started(source, Start(checkpoint), classes=3)
    assert "names no [transfer] features" in caught.value.details[0]


def test_a_head_that_reads_past_the_named_layer_cannot_be_split_off(split_tiny):
    source = resolve_model(str(split_tiny))
    model, _ = build_started(source, Start(), classes=3)
    backbone, head = split_at(model, "pool", source)
    inputs = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    assert np.allclose(head(backbone(inputs)), model(inputs), atol=1e-6)
    with pytest.raises(ModelError, match="its head cannot be trained alone"):
        split_at(model, "neck", source)


def test_what_from_means_is_found_before_tensorflow_starts(split_tiny, checkpoint):
    source = resolve_model(str(split_tiny))
    place = source.weights_place("two")
    place.write_bytes(checkpoint.read_bytes())
    assert find_start(source, "two") == Start(place)
    assert find_start(source, str(checkpoint)) == Start(checkpoint)
    with pytest.raises(ModelError, match="neither a file nor a checkpoint") as caught:
        find_start(source, "three")
    assert "it has checkpoints for: two" in caught.value.details
    with pytest.raises(ModelError, match="no argument `pretrained`"):
        find_start(source, "imagenet")
    assert find_start(resolve_model("mobilenet"), "imagenet") == Start(imagenet=True)


def test_imagenet_weights_that_cannot_be_had_say_where_they_belong(split_tiny, capsys):
    code = (split_tiny / "model.py").read_text()
    code = code.replace("size=16):", "size=16, pretrained=None):\n    assert pretrained").replace(
        "assert pretrained",
        "import warnings\n    keras.utils.Progbar(1).update(1)\n"
        "    warnings.warn('`input_shape` is undefined or non-square, or so')\n"
        "    raise Exception('URL failure on https://example.org/a/tiny_no_top.h5: None -- x')",
    )
    (split_tiny / "model.py").write_text(code)
    source = resolve_model(str(split_tiny))
    with pytest.raises(ModelError, match="ImageNet weights cannot be downloaded") as caught:
        build_started(source, find_start(source, "imagenet"), classes=3)
    assert "models/tiny_no_top.h5, then for https://example.org/a/" in caught.value.details[0]
    assert caught.value.hint.startswith("with a network: curl --create-dirs -Lo ")
    # Keras prints its progress to stdout, where --json has its document.
    assert capsys.readouterr() == ("", "")


def test_a_frozen_backbone_stays_and_its_features_are_computed_once(
    split_tiny, checkpoint, colours, tmp_path, monkeypatch
):
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    asked = {"data": colours, "begin": str(checkpoint), "head_only": True, "epochs": 4}
    first = train_model(str(split_tiny), **asked, out=tmp_path / "a")
    stored = list((cache_folder() / "features").glob("*/features.npy"))
    assert sorted(np.load(path).shape for path in stored) == [(30, 8), (270, 8)]
    times = [path.stat().st_mtime_ns for path in stored]
    second = train_model(str(split_tiny), **asked, out=tmp_path / "b")
    assert [path.stat().st_mtime_ns for path in stored] == times
    assert len(list((cache_folder() / "features").iterdir())) == 2

    source = resolve_model(str(split_tiny))
    begun, _ = build_started(source, Start(checkpoint), classes=3)
    for result in (first, second):
        history = history_of(result)
        assert [entry["frozen"] for entry in history] == [True] * 4
        assert history[0]["fresh_layers"] == ["logits"]
        assert history[-1]["loss"] < history[0]["loss"]
        made, fresh = build_started(source, Start(result.trained.weights), classes=3)
        assert fresh == ()
        for name in ("first", "batch_normalization"):
            layers = [_layer(model, name) for model in (begun, made)]
            pairs = zip(*(layer.get_weights() for layer in layers), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs), name
        assert not np.array_equal(
            made.get_layer("logits").get_weights()[0], begun.get_layer("logits").get_weights()[0]
        )
    assert history_of(first)[-1]["loss"] == pytest.approx(history_of(second)[-1]["loss"], rel=1e-4)


def _layer(model, prefix):
    return next(layer for layer in model.layers if layer.name.startswith(prefix))


def test_after_the_frozen_epochs_all_is_trained_and_a_resumed_run_goes_on_there(
    split_tiny, checkpoint, colours, tmp_path
):
    toml = split_tiny / "model.toml"
    toml.write_text(toml.read_text().replace("[train]\n", "[train]\nthawed_rate = 0.1\n"))
    asked = {"data": colours, "begin": str(checkpoint), "freeze": 2, "epochs": 4}
    whole = train_model(str(split_tiny), **asked, out=tmp_path / "whole")
    history = history_of(whole)
    assert [entry["frozen"] for entry in history] == [True, True, False, False]
    assert history[2]["learning_rate"] < 0.2 * 0.02
    made, _ = build_started(resolve_model(str(split_tiny)), Start(whole.trained.weights), classes=3)
    begun, _ = build_started(resolve_model(str(split_tiny)), Start(checkpoint), classes=3)
    best = max(range(4), key=lambda epoch: history[epoch]["best"] * (epoch + 1))
    moved = not np.array_equal(
        made.get_layer("first").get_weights()[0], begun.get_layer("first").get_weights()[0]
    )
    assert moved == (best >= 2)

    class Stop(Exception):
        pass

    def stop(progress):
        if any(f"epoch {at}/4" in progress.note for at in moments):
            raise Stop

    out = tmp_path / "stopped"
    for moment in (2, 3):  # as the head alone is trained, and as all is
        moments = [moment]
        with pytest.raises(Stop):
            train_model(str(split_tiny), **asked, out=out, report=stop)
    resumed = train_model(str(split_tiny), **asked, out=out)
    assert resumed.trained.resumed_at == 2
    for mine, other in zip(history_of(resumed), history, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-3)


def test_random_weights_cannot_be_frozen(split_tiny, colours, tmp_path):
    with pytest.raises(UsageError, match="random weights cannot be frozen"):
        train_model(str(split_tiny), data=colours, freeze=2, out=tmp_path / "run")
    toml = split_tiny / "model.toml"
    toml.write_text(
        toml.read_text().replace("[train]\n", "[train]\nfreeze_epochs = 1\nepochs = 1\n")
    )
    result = train_model(str(split_tiny), data=colours, out=tmp_path / "run")
    assert [entry["frozen"] for entry in history_of(result)] == [False]


def test_the_features_layer_and_nothing_else_stands_under_transfer(tiny):
    toml = tiny / "model.toml"
    toml.write_text(toml.read_text() + '[transfer]\nfeatures = "pool"\nfeature = 1\n')
    with pytest.raises(ModelError, match=r"unknown key transfer\.feature"):
        resolve_model(str(tiny))
    assert replace(resolve_model("mobilenet").spec).features == "pool"
