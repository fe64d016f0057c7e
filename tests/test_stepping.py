"""Text token by token: a cache that its caller keeps, and models that are asked again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgekit.datasets import SPLITS, open_dataset
from edgekit.errors import DataError, ModelError, UsageError
from edgekit.loading import build_keras, call_in_folder
from edgekit.manifest import TARGETS
from edgekit.models import resolve_model
from edgekit.spec import InputSpec
from edgekit.stepping import Stepper, greedy, highest, opened, sampled, written
from edgekit.tokenizing import BYTES, encode
from edgekit.verbs.export import ExportRequest, export

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXT = "de Tschechische Republik\n"
CACHES = {"keys": (3, 4, 32, 16), "values": (3, 4, 32, 16)}
END = 11  # the end of a line, as a token


class Adding:
    """A step model whose logits are highest at the sum of all tokens it was told, modulo 8."""

    def __init__(self):
        self.asked = []

    def __call__(self, samples):
        self.asked.append({name: array.copy() for name, array in samples.items()})
        token, cache = samples["token"], samples["sums"]
        total = (int(token[0]) + int(cache.sum())) % 8
        return {"logits": np.eye(8)[[total]], "new_sums": token[:, None, None] * np.ones((1, 2, 1))}


def test_a_step_writes_what_the_model_gives_into_the_cache_at_its_position():
    model = Adding()
    stepper = Stepper(model, {"sums": (2, 5, 1)})
    for token in (3, 1):
        stepper.step(token)
    assert stepper.position == 2
    assert stepper.caches["sums"][0, :, :, 0].tolist() == [[3, 1, 0, 0, 0]] * 2
    # What was asked holds what came before, and never the token itself.
    assert model.asked[1]["sums"][0, 0, :, 0].tolist() == [3, 0, 0, 0, 0]
    assert [int(one["position"][0]) for one in model.asked] == [0, 1]


def test_writing_goes_on_until_the_end_or_until_the_cache_is_full():
    # 1; 1 + 2 · 1 = 3; 3 + 2 · (1 + 1) = 7; 7 + 2 · (1 + 1 + 3) = 17, which is 1.
    assert written(Stepper(Adding(), {"sums": (2, 4, 1)}), [1], highest) == [1, 3, 7, 1]
    assert written(Stepper(Adding(), {"sums": (2, 4, 1)}), [1], highest, end=3) == [1, 3]


def test_a_full_cache_takes_no_more_and_a_prompt_is_not_empty():
    stepper = Stepper(Adding(), {"sums": (2, 1, 1)})
    stepper.step(1)
    with pytest.raises(UsageError, match="holds 1 tokens"):
        stepper.step(1)
    with pytest.raises(UsageError, match="empty prompt"):
        written(Stepper(Adding(), {"sums": (2, 1, 1)}), [], highest)
    with pytest.raises(ModelError, match=r"one length; found \[3, 4\]"):
        Stepper(Adding(), {"a": (3, 1), "b": (4, 1)})


def test_chance_takes_classes_as_often_as_the_softmax_says_and_never_a_fill_up():
    choose = sampled(np.random.default_rng(0))
    logits = np.log(np.array([100.0, 0.7, 0.2, 0.1]))
    drawn = [choose(logits) for _ in range(4000)]
    assert np.bincount(drawn) / 4000 == pytest.approx([0, 0.7, 0.2, 0.1], abs=0.03)
    cold = sampled(np.random.default_rng(0), temperature=0.01)
    assert {cold(logits) for _ in range(20)} == {1}
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="a number above 0"):
            sampled(np.random.default_rng(0), temperature=wrong)


def test_greedy_writes_each_text_until_its_own_end():
    def reversing(samples):
        """Logits that spell the source backwards, from its last token to its first, and an end."""
        source, target = samples["source"], samples["target"]
        logits = np.zeros((*source.shape, 12))
        for row in range(len(source)):
            known = [*source[row][source[row] > 0][::-1].tolist(), END]
            done = int((target[row] > 0).sum()) - 1
            logits[row, done, known[min(done, len(known) - 1)]] = 1
        return {"logits": logits}

    source = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]], np.int32)
    assert greedy(reversing, source, end=END).tolist() == [[3, 2, 1, END, 0], [4, END, 0, 0, 0]]


@pytest.fixture(scope="module")
def gpt():
    source = resolve_model("gpt")
    return build_keras(source, weights=source.weights_for("next-bytes"), classes=257)


@pytest.fixture(scope="module")
def tokens():
    return encode(BYTES, [TEXT], 32)


def test_both_forms_of_gpt_have_the_same_weights(gpt):
    step = resolve_model("gpt-step")
    other = build_keras(step, weights=step.weights_for("name-steps"), classes=257)
    assert [w.shape for w in gpt.weights] == [w.shape for w in other.weights]
    assert all(np.array_equal(a, b) for a, b in zip(gpt.weights, other.weights, strict=True))


def test_numpys_caches_are_those_that_the_steps_of_keras_give(tokens):
    source = resolve_model("gpt-step")
    model = build_keras(source, weights=source.weights_for("name-steps"), classes=257)
    names = [spec.name for spec in source.spec.inputs]

    def asked(samples):
        found = model.predict_on_batch([samples[name] for name in names])
        return dict(zip(source.spec.outputs, found, strict=True))

    stepper = Stepper(asked, CACHES)
    for token in tokens[0]:
        stepper.step(int(token))
    weights = source.weights_for("name-steps")
    made = call_in_folder(
        source, "reference.py", "caches",
        weights=weights, tokens=tokens, heads=4, activation="relu",
    )  # fmt: skip
    for name, cache in zip(CACHES, made, strict=True):
        assert stepper.caches[name] == pytest.approx(cache, abs=2e-5)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """GPT in float, and its step in float and in 8 bits, by "gpt tflite-fp32"."""
    out = tmp_path_factory.mktemp("gpt") / "build"
    made = {}
    for name, precisions in (("gpt", ("fp32",)), ("gpt-step", ("fp32", "int8"))):
        result = export(
            ExportRequest(
                model=name,
                precisions=precisions,
                calibration_samples=64,
                evaluation_samples=64,
                max_drop=1.0,
                out=out,
            )
        )
        assert not result.failures
        made |= {f"{name} {one.label}": one for one in result.artifacts}
    return made


# The largest difference of a logit; of 8 bits the mean one.
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("int8", 0.25)])
def test_steps_give_the_logits_of_the_whole_window_at_every_step(
    artifacts, tokens, target, precision, most
):
    count = len(TEXT)
    with opened(artifacts[f"gpt {target}-fp32"].path) as asked:
        whole = asked({"tokens": tokens})["logits"][0, :count]
    with opened(artifacts[f"gpt-step {target}-{precision}"].path) as asked:
        stepper = Stepper(asked, CACHES)
        steps = np.stack([stepper.step(int(token)) for token in tokens[0, :count]])
    apart = np.abs(steps - whole)
    assert (apart.max() if precision == "fp32" else apart.mean()) <= most


def test_all_outputs_of_a_step_are_proven(artifacts):
    for target in TARGETS:
        artifact = artifacts[f"gpt-step {target}-fp32"]
        golden = artifact.path / "golden" / "reference"
        assert {p.stem for p in golden.glob("*.npy")} == {"logits", "new_keys", "new_values"}
        assert artifact.manifest.parity.max_abs < 1e-4


def test_the_page_of_models_shows_how_an_artifact_writes_names(artifacts, monkeypatch, capsys):
    made = artifacts["gpt-step tflite-int8"].path
    monkeypatch.chdir(made.parents[2])
    page = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from pathlib.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/models.md", "exec"), {})
    names = capsys.readouterr().out.split("\n")
    assert len(set(names)) > 2
    assert all(2 < len(name) < 32 for name in names if name)


@pytest.fixture(scope="module")
def steps():
    return open_dataset("name-steps")


@pytest.mark.parametrize("split", SPLITS)
def test_the_label_of_a_step_is_the_byte_behind_it_within_the_name(steps, split):
    token, position, keys, _ = resolve_model("gpt-step").spec.inputs
    indices = range(0, 900, 90)
    read = [steps.read(split, indices, spec) for spec in (token, position, keys)]
    tokens, positions, caches = (one.inputs for one in read)
    for row, index in enumerate(indices):
        data = steps.original(split, index).encode()[:32]
        at = int(positions[row])
        assert at >= 2
        assert tokens[row] == data[at] + 1
        assert read[0].labels[row] == data[at + 1] + 1
        assert caches[row, :, :, :at].any(axis=(0, 1, 3)).all()
        assert not caches[row, :, :, at:].any()
    assert np.array_equal(steps.labels(split)[list(indices)], read[0].labels)


def test_caches_of_another_shape_are_refused(steps):
    spec = InputSpec("keys", "float32", (1, 2, 3, 4))
    with pytest.raises(DataError, match=r"caches float32 \[3, 4, 32, 16\]"):
        steps.read("test", [0], spec)
