"""The page's way to run trackers of one thing, with the committed weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgekit.datasets.videos import DrawnVideo
from edgekit.loading import build_keras
from edgekit.models import resolve_model
from edgekit.tracking import one_pass

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PAGE = Path(__file__).parents[2] / "docs" / "track.md"


class Session:
    """A file's session of ONNX Runtime, of the model that the file would be made from."""

    def __init__(self, path: str) -> None:
        import tensorflow as tf

        source = resolve_model(Path(path).parts[1])
        weights = source.weights_for(source.spec.datasets[0])
        model = build_keras(source, weights=weights, classes=0)
        self._names = [entry.name for entry in source.spec.inputs]
        self._run = tf.function(lambda given: model(given, training=False))

    def run(self, _outputs: None, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        values = [given[name] for name in self._names]
        return [self._run(values if len(values) > 1 else values[0]).numpy()]


def test_the_snippet_of_the_page_follows_a_drawn_glyph(monkeypatch):
    snippet = next(
        s
        for s in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "Regressed" in s
    )
    shots = list(DrawnVideo("test", 3, (96, 96)))[:8]
    identity = next(i for i in shots[0].identities if all(i in s.identities for s in shots))
    truth = np.array([shot.boxes[shot.identities == identity][0] for shot in shots])
    frames = [shot.image for shot in shots]
    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    scope = {"np": np, "frames": frames[:2], "box": truth[0]}
    exec(snippet, scope)
    assert np.array(scope["boxes"]).shape == (1, 4)
    for follower in (
        scope["Regressed"](scope["box_in_search"], size=32),
        scope["Learned"](scope["features"], size=32, candidates=48),
    ):
        assert one_pass(follower, frames, truth)[1:].mean() > 0.4
