"""What every reference model keeps, whatever it is: asked of each name in `edgekit models`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from edgekit.loading import build_keras
from edgekit.metrics import METRICS, score
from edgekit.metrics.playing import Played
from edgekit.models import known_models, resolve_model, tokenizer_beside
from edgekit.tokenizing import keep
from edgekit.training.inputs import as_inputs
from edgekit.training.recipe import read_recipe

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = sorted(known_models())
CHECKPOINTS = [
    (name, dataset) for name in NAMES for dataset in sorted(resolve_model(name).checkpoints())
]
# What a few hundred samples may miss of the card's figure by chance: points, or what else the
# metric counts in.
CHANCE = 6.0
# A distance of sets is the larger the fewer samples there are.
CHANCE_OF = {"bits": 0.25, "distance": 15.0}


@pytest.mark.parametrize("name", NAMES)
def test_the_toml_names_a_known_metric_a_trainable_recipe_and_only_data_sets_with_weights(name):
    source = resolve_model(name)
    spec = source.spec
    assert spec.name == name
    assert spec.metric in METRICS
    assert spec.summary
    assert spec.licence == "Apache-2.0"
    assert spec.source.startswith("https://")
    assert set(spec.datasets) == set(source.checkpoints())
    for dataset in ("", *spec.datasets, *spec.train.get("for", {})):
        read_recipe(spec.train, spec.parameters, name, dataset=dataset, task=spec.task)


@pytest.mark.parametrize("name", NAMES)
def test_build_gives_the_inputs_and_outputs_of_the_toml(name):
    import keras

    source = resolve_model(name)
    spec = source.spec
    model = build_keras(source, weights=None, classes=7)
    assert [tensor.dtype for tensor in model.inputs] == [entry.dtype for entry in spec.inputs]
    assert [tensor.shape[1:] for tensor in model.inputs] == [entry.shape for entry in spec.inputs]
    assert len(model.outputs) == len(spec.outputs)
    pictures = ("image-reconstruction", "image-generation", "image-translation")
    if spec.task not in (*pictures, "object-tracking"):  # they have no classes, nor has a box
        scores = model.outputs[-1 if spec.task == "object-detection" else 0]
        assert scores.shape[-1] == 7
    last = model.layers[-1]
    if isinstance(last, keras.layers.Dense):
        assert last.activation is keras.activations.linear  # logits: the app applies softmax


@pytest.mark.parametrize(("name", "dataset"), CHECKPOINTS)
def test_committed_weights_are_small_and_hold_no_optimizer(name, dataset):
    import h5py

    path = resolve_model(name).weights_for(dataset)
    assert path.stat().st_size < 6_000_000
    with h5py.File(path) as file:
        assert "optimizer" not in file


def test_all_committed_weights_together_stay_under_80_megabytes():
    sizes = [resolve_model(n).weights_for(d).stat().st_size for n, d in CHECKPOINTS]
    assert sum(sizes) < 80_000_000


@pytest.mark.parametrize("folder", sorted({path for path, _ in known_models().values()}))
def test_every_folder_has_a_card_that_names_data_figures_and_the_command(folder: Path):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for wanted in ("## Data", "## Figures", "## Reproduce", f"edgekit train {folder.name}"):
        assert wanted in card, wanted


@pytest.mark.parametrize(("name", "dataset"), CHECKPOINTS)
def test_the_card_states_the_figure_that_the_weights_reach_on_held_out_samples(name, dataset):
    source = resolve_model(name)
    weights = source.weights_for(dataset)
    if source.needs_tokenizer:
        source = source.with_tokenizer(keep(tokenizer_beside(weights)))
    spec = source.spec
    try:
        opened = open_dataset(dataset)
    except DataError as error:
        pytest.skip(f"{dataset} is not on this machine: {error.hint}")
    model = build_keras(source, weights=weights, classes=len(opened.classes))
    chosen = opened.choose("test", 216)
    samples = [opened.read("test", chosen, entry) for entry in spec.inputs]
    labels = samples[0].labels
    outputs = model.predict(as_inputs([one.inputs for one in samples]), batch_size=36, verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    metric = METRICS[spec.metric]
    if isinstance(metric, Played):
        outputs = metric.play(
            lambda states: [model.predict_on_batch(states)], opened.world(), labels
        )
    reached = score(spec.metric, outputs, labels).value
    card = (source.path / "README.md").read_text(encoding="utf-8")
    stated = re.search(rf"\| {re.escape(name)} \| {re.escape(dataset)} \| ([−0-9.]+)", card)
    assert stated, f"the card has no row '| {name} | {dataset} | … %'"
    worse = metric.scale.drop(reached, float(stated[1].replace("−", "-")))
    assert worse <= CHANCE_OF.get(metric.scale.unit, CHANCE)


def test_the_page_of_models_has_a_row_for_every_name_under_its_task():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert re.search(
            rf"^\| {resolve_model(name).spec.task} \| .*`{re.escape(name)}`", page, re.MULTILINE
        )
