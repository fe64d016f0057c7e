"""Models that write: what the cards say of whole texts, on fewer of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.loading import build_keras
from edgekit.models import resolve_model
from edgekit.stepping import greedy
from edgekit.tokenizing import BYTES, decode

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def translator():
    """The model as `greedy` asks it."""
    source = resolve_model("translator")
    model = build_keras(source, weights=source.weights_for("name-pairs"), classes=257)

    def asked(samples):
        found = model.predict_on_batch([samples["source"], samples["target"]])
        return {"logits": np.asarray(found)}

    return asked


def test_the_translator_writes_a_fifth_of_unseen_names_as_cldr_does(translator):
    dataset = open_dataset("name-pairs")
    chosen = dataset.choose("test", 2016)[:336]
    spec = resolve_model("translator").spec.inputs[0]
    made = greedy(translator, dataset.read("test", chosen, spec).inputs, end=11)
    texts = [decode(BYTES, row) for row in made]
    wanted = [dataset.pair("test", index)[1] + "\n" for index in chosen]
    exact = np.mean([text == name for text, name in zip(texts, wanted, strict=True)])
    assert exact == pytest.approx(0.2128, abs=0.06)  # the card's, of fewer


def test_a_step_of_the_translator_sees_nothing_that_is_written_behind_it(translator):
    dataset, spec = open_dataset("name-pairs"), resolve_model("translator").spec.inputs
    source, target = (dataset.read("test", [7], one).inputs for one in spec)
    changed = target.copy()
    changed[:, 5:] = 40
    before, after = (
        translator({"source": source, "target": one})["logits"][0] for one in (target, changed)
    )
    assert after[:5] == pytest.approx(before[:5], abs=1e-5)
    assert np.abs(after[5:] - before[5:]).max() > 0.1


def test_bert_sees_what_is_behind_and_before_but_no_fill_ups():
    source = resolve_model("bert")
    model = build_keras(source, weights=None, classes=257)
    tokens = np.zeros((1, 32), np.int32)
    tokens[0, :8] = [101, 102, 33, 68, 257, 117, 117, 11]
    behind = tokens.copy()
    behind[0, 6] = 100
    first, second = (model.predict_on_batch(one)[0] for one in (tokens, behind))
    assert np.abs(first[4] - second[4]).max() > 1e-3
    # Behind the text nothing is asked, so nothing there may count: its embedding is no token's.
    embedding = model.get_layer("embedding")
    weights = embedding.get_weights()[0]
    weights[0] += 5.0
    embedding.set_weights([weights])
    assert model.predict_on_batch(tokens)[0][:8] == pytest.approx(first[:8], abs=1e-4)
