"""Bundles of a text model with WordPiece: golden texts and cases in a browser and in C++."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.contents import CONTENTS
from edgekit.bundles.making import Order, make_bundle
from edgekit.verbs.export import ExportRequest, export
from edgekit.verbs.train import train_model
from tests.bundles.test_cpp import fitted, run
from tests.bundles.test_sound import needs_cpp
from tests.bundles.test_web import result_of, wait_for
from tests.pages import violations

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

TARGETS = ("tflite", "onnx", "openvino")
WORDS = {"music": ["song", "band", "tune", "drum"], "weather": ["rain", "snow", "sunny", "storm"]}
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
activation = "softmax"

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

[train]
epochs = 12
learning_rate = 0.05
batch_size = 16
"""


def make_artifacts(folder):
    source, data = folder / "source", folder / "data"
    source.mkdir()
    data.mkdir()
    (source / "model.py").write_text(MODEL_PY)
    (source / "model.toml").write_text(MODEL_TOML)
    draw = np.random.default_rng(3)
    for split, count in (("train", 120), ("val", 40), ("test", 40)):
        lines = ["text,label"]
        for number in range(count):
            label = ("music", "weather")[number % 2]
            lines.append(f"{' '.join(draw.choice(WORDS[label], 3))},{label}")
        (data / f"{split}.csv").write_text("\n".join(lines))
    trained = train_model(str(source), data=data, out=folder / "run").trained
    export(
        ExportRequest(str(source), targets=TARGETS, data=data, weights=trained.weights, out=folder)
    )


@pytest.fixture(scope="session")
def text_artifacts(made_once):
    folder = made_once("words", make_artifacts) / "words"
    return [Artifact.open(folder / f"{target}-fp32") for target in TARGETS]


@pytest.fixture(scope="module")
def text_app(app, text_artifacts, tmp_path_factory):
    # `app` skips where there is nothing to compute with.
    out = tmp_path_factory.mktemp("texts") / "app"
    make_bundle(text_artifacts[:2], Order("words", "1.0.0", "web"), out)
    return out


@pytest.fixture(scope="module")
def text_address(text_app, serving):
    with serving(text_app) as server:
        yield server.address


@pytest.mark.browser
@pytest.mark.parametrize("label", ["tflite-fp32", "onnx-fp32"])
def test_golden_texts_and_cases_hold_in_a_browser(opened, text_app, text_address, label):
    found = result_of(opened(f"?check&artifact={label}", address=text_address))
    cases = json.loads((text_app / "golden" / "cases.json").read_text())
    assert found["mismatches"] == []
    assert found["texts"] == len(cases["texts"]) > 10
    assert found["outputs"] == found["answers"] == len(cases["cases"])


@pytest.mark.browser
def test_a_text_of_one_s_own_is_classified(opened, text_address):
    page = opened(address=text_address)
    for text, label in (("Rain, SNOW … störm!", "weather"), ("drum tune 🥁", "music")):
        page.get_by_label("Text to classify").fill(text)
        page.get_by_role("button", name="Classify").click()
        page.locator("#results .name").first.filter(has_text=label).wait_for()
    assert violations(page, least=15) == []


@pytest.mark.browser
def test_a_wordpiece_table_for_another_tokenizer_is_refused(opened, text_app, serving):
    table = json.loads((text_app / "wordpiece.json").read_text()) | {"sha256": "0" * 64}
    with serving(text_app, refitted(text_app, "wordpiece.json", json.dumps(table))) as other:
        page = opened(address=other.address, ready=False)
        wait_for(page, "html[data-trouble]")
        assert "for another tokenizer" in page.get_by_role("alert").inner_text()


def refitted(app, name, text):
    """A changed file, and the list that fits it."""
    listed = json.loads((app / CONTENTS).read_text())
    data = text.encode()
    listed["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return {name: data, CONTENTS: json.dumps(listed).encode()}


@needs_cpp
def test_golden_texts_and_cases_hold_in_cpp(cpp_built, text_artifacts, tmp_path):
    program = cpp_built / "build" / "known_glyphs_cli"
    bundle = tmp_path / "words"
    make_bundle(text_artifacts, Order("words", "1.0.0", "cpp"), bundle)
    for target in TARGETS:
        said = run(program, "--bundle", bundle, "--artifact", f"{target}-fp32", "--check")
        assert "texts or sounds: 0 of 13 differ" in said
    said = run(program, "--bundle", bundle, "--text", "Rain, SNOW … störm!")
    assert said.startswith("Rain, SNOW … störm!  weather  ")
    table = json.loads((bundle / "wordpiece.json").read_text())
    for change, told in (
        ({"sha256": "0" * 64}, "for another tokenizer"),
        ({"becomes": [[5, 4, "apart"]]}, "ranges out of order"),
        ({"becomes": [[5, 5, "sing"]]}, "unknown rule sing"),
        ({"longest": 0}, "not in 1 to 1000"),
        ({"alone": [[1]]}, "wordpiece.json"),
    ):
        (bundle / "wordpiece.json").write_text(json.dumps({**table, **change}))
        fitted(bundle, lambda _: None)
        said = run(program, "--bundle", bundle, "--text", "x", status=1)
        assert said.startswith("error: ")
        assert told in said
