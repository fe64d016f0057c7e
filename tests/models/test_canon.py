"""Every reference model whose data need no network: it learns, and it arrives on every target.

The figures of cards and of docs/canon.md come from more samples; what is asked here is that nothing
is broken, on few.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import Artifact
from edgekit.datasets import open_dataset
from edgekit.manifest import TARGETS
from edgekit.measuring.contenders import parse
from edgekit.models import known_models, resolve_model, tokenizer_beside
from edgekit.tokenizing import keep
from edgekit.training.inputs import as_inputs
from edgekit.training.learner import Learner
from edgekit.training.objectives import objective_for
from edgekit.training.recipe import read_recipe
from edgekit.training.transfer import Start, build_started
from edgekit.verbs.export import ExportRequest, export
from edgekit.verbs.profile import profile

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SAMPLES = 72
STEPS = 12
# In points of the metric: what few samples, and ranges of few, may lose by chance.
LOST = 8.0
# Of the largest pictures: fewer samples, and steps at a size that the network takes, too.
LARGE = {"yolo-640": {"size": 128}}
FEW = 16


# By the data set that a model takes where none is named.
OFFLINE = {name: resolve_model(name).spec.datasets[0] for name in known_models()}


def test_no_name_needs_a_network_unless_one_asks_for_other_data():
    fetched = {name for name, data in OFFLINE.items() if open_dataset(data).archive is not None}
    assert fetched == set()


def test_the_table_of_the_docs_has_a_row_of_every_name_target_and_precision():
    page = Path(__file__).parents[2] / "docs" / "canon.md"
    rows = [line.split("|") for line in page.read_text(encoding="utf-8").splitlines()]
    told = [
        (row[1].strip()[1:].partition("]")[0], row[3].strip(), row[4].strip())
        for row in rows
        if len(row) > 4 and row[1].strip().startswith("[")
    ]
    assert sorted(told) == sorted(product(known_models(), TARGETS, ("fp32", "int8")))


# A policy learns from what it meets, not from a batch (tests/training/test_experience.py).
TAUGHT = {n: d for n, d in OFFLINE.items() if resolve_model(n).spec.task != "control"}


@pytest.mark.parametrize(("name", "dataset"), TAUGHT.items())
def test_a_batch_is_learnt_from_random_weights(name, dataset):
    source = resolve_model(name, parameters=LARGE.get(name, {}))
    if source.needs_tokenizer:
        source = source.with_tokenizer(keep(tokenizer_beside(source.weights_for(dataset))))
    spec = source.spec
    opened = open_dataset(dataset)
    recipe = read_recipe(spec.train, spec.parameters, name, dataset=dataset, task=spec.task)
    model, _ = build_started(source, Start(), classes=len(opened.classes))
    classes = len(opened.classes)
    objective = objective_for(spec.task, recipe, classes, source=source)
    learner = Learner(model, recipe, objective)
    samples = [opened.read("train", range(16), entry) for entry in spec.inputs]
    given, labels = as_inputs([one.inputs for one in samples]), samples[0].labels
    losses = [
        learner.train_step(given, labels, rate=recipe.learning_rate, stage_step=step)[0]
        for step in range(STEPS)
    ]
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < losses[0]


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("canon")


@pytest.mark.parametrize(("name", "dataset"), OFFLINE.items())
def test_it_arrives_on_every_target_in_float_and_in_8_bits_or_the_card_says_why_not(
    name, dataset, out
):
    spec = resolve_model(name).spec
    result = export(
        ExportRequest(
            model=name,
            dataset=dataset,
            precisions=("fp32", "int8"),
            # The worth of two actions is nearly the same: its range wants the model's own samples.
            calibration_samples=None if spec.task == "control" else 32,
            evaluation_samples=FEW if name in LARGE else SAMPLES,
            max_drop=max(LOST, spec.gate.max_drop),
            # Ample: a search that a busy machine cuts short keeps too few layers in float.
            budget_s=900.0,
            out=out,
        )
    )
    card = (resolve_model(name).path / "README.md").read_text(encoding="utf-8")
    made = {artifact.label: artifact for artifact in result.artifacts}
    for target in TARGETS:
        assert f"{target}-fp32" in made, result.failures
        if f"{target}-int8" not in made:
            reason = result.failures[f"{target}-int8"].message
            assert f"{target}-int8: not made" in card, reason
    for artifact in made.values():
        _is_sound(artifact, spec.size)
    int8 = [artifact for label, artifact in made.items() if label.endswith("int8")]
    if int8:
        measured = profile([parse(str(one.path)) for one in int8], rounds=1, seconds=0.05)
        assert all(row.summary.median_ms > 0 for row in measured.rows)


def _is_sound(artifact: Artifact, size) -> None:
    manifest = artifact.manifest
    assert manifest.metric["samples"] <= SAMPLES
    assert manifest.cost == {
        "parameters": size.parameters,
        "multiply_adds": size.multiply_adds,
    }, "[size] of model.toml"
