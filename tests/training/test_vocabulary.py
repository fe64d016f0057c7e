"""A text model end to end: its tokenizer is trained, lies beside the weights and is found again."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from edgekit.artifact import Artifact
from edgekit.errors import ArtifactError, DataError, ModelError
from edgekit.models import resolve_model
from edgekit.tokenizing import tokenizer_file
from edgekit.training.recipe import Recipe, Stage
from edgekit.training.run import train
from edgekit.verbs.evaluate import evaluate
from edgekit.verbs.export import ExportRequest, export, plan_export
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODEL_PY = """
import keras


def build(classes, length=8, vocabulary=60):
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(vocabulary, 8)(tokens)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, keras.layers.Dense(classes, name="logits")(x))
"""

MODEL_TOML = """
name = "words"
task = "text-classification"
output = "logits"

[parameters]
length = 8
vocabulary = 60

[[inputs]]
name = "tokens"
dtype = "int32"
shape = ["length"]
layout = "tokens"
range = [0, "vocabulary"]
tokenizer = "wordpiece"

[gate]
samples = 40

[train]
epochs = 12
learning_rate = 0.05
batch_size = 16
"""

WORDS = {"weather": ["rain", "snow", "sunny", "storm"], "music": ["song", "band", "tune", "drum"]}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder of split files; the word `zebra` is in the test alone."""
    folder = tmp_path_factory.mktemp("words-data")
    random = np.random.default_rng(3)
    for split, count in (("train", 120), ("val", 40), ("test", 40)):
        lines = ["text,label"]
        for number in range(count):
            label = ("weather", "music")[number % 2]
            words = " ".join(random.choice(WORDS[label], 3))
            lines.append(f"{words}{' zebra' if split == 'test' else ''},{label}")
        (folder / f"{split}.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "words"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML)
    return folder


@pytest.fixture(scope="module")
def trained(model, texts, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "words"
    return train_model(str(model), data=texts, out=out)


@pytest.fixture(scope="module")
def artifact(model, texts, trained, tmp_path_factory):
    request = ExportRequest(
        model=str(model), data=texts, weights=trained.trained.weights, targets=("onnx", "tflite"),
        precisions=("fp32", "int8"), out=tmp_path_factory.mktemp("build"), max_drop=100.0,
    )  # fmt: skip
    result = export(request)
    assert not result.failures
    for made in result.artifacts:  # tokens are never quantized
        assert [(t.dtype, t.scale) for t in made.manifest.inputs] == [("int32", None)]
    return next(entry for entry in result.artifacts if entry.precision == "fp32")


def test_a_text_model_learns_and_its_tokenizer_holds_training_words_only(trained, texts):
    place = trained.trained.weights.with_name(f"{texts.name}.tokenizer.json")
    pieces = json.loads(place.read_text())["model"]["vocab"]
    assert {"rain", "drum"} <= set(pieces)
    assert "z" not in pieces
    assert "##z" not in pieces
    assert trained.trained.test.value > 90  # chance is 50


def test_the_artifact_carries_the_tokenizer_that_its_manifest_names(artifact, trained):
    (spec,) = artifact.manifest.preprocessing
    assert spec.tokenizer == f"wordpiece:{artifact.manifest.files['tokenizer.json']['sha256']}"
    beside = next(trained.trained.folder.glob("*.tokenizer.json"))
    assert (artifact.path / "tokenizer.json").read_bytes() == beside.read_bytes()


def test_an_artifact_is_evaluated_on_a_machine_that_never_saw_its_tokenizer(artifact, texts):
    tokenizer_file(artifact.manifest.preprocessing[0].tokenizer).unlink()
    found = evaluate(artifact.path, dataset=texts)
    assert found.metric.drop == 0
    assert found.metric.value == artifact.manifest.metric["value"]
    assert evaluate(artifact.path, dataset=texts, metric="f1").metric.value > 90


def test_another_tokenizer_than_the_manifests_is_refused(artifact, texts, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(artifact.path, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["preprocessing"][0]["tokenizer"] = f"wordpiece:{'0' * 64}"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="not the tokenizer that its manifest names"):
        evaluate(copy, dataset=texts)
    del manifest["files"]["tokenizer.json"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is missing"):
        evaluate(Artifact.open(copy).path, dataset=texts)


def test_weights_without_their_tokenizer_are_not_exported(model, texts, trained, tmp_path):
    alone = tmp_path / "alone.weights.h5"
    alone.write_bytes(trained.trained.weights.read_bytes())
    with pytest.raises(ModelError, match=r"tokenizer .* is not beside them") as caught:
        plan_export(ExportRequest(model=str(model), data=texts, weights=alone))
    assert "expected alone.tokenizer.json" in caught.value.details


def test_weights_to_begin_with_bring_their_tokenizer(model, texts, trained, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for split in ("train", "val", "test"):
        (other / f"{split}.csv").write_text("text,label\n" + "hola,es\nbonjour,fr\n" * 20)
    result = train_model(
        str(model),
        data=other,
        begin=str(trained.trained.weights),
        epochs=1,
        out=tmp_path / "run",
    )
    made = result.trained.weights.with_name("other.tokenizer.json")
    beside = next(trained.trained.folder.glob("*.tokenizer.json"))
    assert made.read_bytes() == beside.read_bytes()


def test_installed_weights_take_their_tokenizer_along(model, texts, tmp_path):
    folder = tmp_path / "words"
    shutil.copytree(model, folder)
    result = train_model(str(folder), data=texts, epochs=1, out=tmp_path / "run", install=True)
    assert result.installed.parent == folder
    assert (folder / f"{texts.name}.tokenizer.json").is_file()


def test_a_data_set_without_texts_trains_no_tokenizer(model, tmp_path):
    np.savez(tmp_path / "n.npz", x=np.zeros((40, 8), np.int32), y=np.arange(40) % 2)
    from edgekit.datasets import open_dataset

    source = resolve_model(str(model))
    with pytest.raises(DataError, match="holds no texts"):
        train(
            source,
            open_dataset(tmp_path / "n.npz"),
            Recipe(stages=(Stage(1),)),
            folder=tmp_path / "run",
        )
