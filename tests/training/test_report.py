from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from edgekit.training import charts
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Every tag closed, every attribute kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def named(tmp_path):
    """Pictures in folders whose names would be markup."""
    from PIL import Image

    random = np.random.default_rng(0)
    names = ["<script>alert(1)<", "a & b", 'x" onload="y']
    for label, name in enumerate(names):
        for split, count in (("train", 24), ("val", 8), ("test", 8)):
            folder = tmp_path / "<b>odd" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 120, (16, 16, 3))
                pixels[..., label] += 100
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return tmp_path / "<b>odd", names


def test_the_report_is_one_page_that_holds_everything_and_nothing_of_it_is_markup(
    tiny, named, tmp_path
):
    data, names = named
    result = train_model(str(tiny), data=data, epochs=3, out=tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert "b" not in tags
    assert not any("onload" in attributes for _, attributes in page.tags)
    for _, attributes in page.tags:  # nothing is fetched
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "prefers-color-scheme: dark" in text
    for name in names:
        assert name in page.text
    test = result.trained.test
    assert f"{test.value:.2f}" in page.text
    assert f"{test.ci95[0]:.2f}–{test.ci95[1]:.2f}" in page.text
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert history["dataset"]["fingerprint"] in page.text
    assert "learning rate" in page.text
    assert sum(tag == "polyline" for tag, _ in page.tags) == 5
    assert sum(tag == "img" for tag, _ in page.tags) == 1


def test_a_confusion_cell_says_how_often_what_was_taken_for_what():
    counts = np.array([[8, 2], [0, 5]])
    drawn = Page(charts.confusion(counts, ("cat", "d<g")))
    assert "cat taken for d<g: 2 of 10" in drawn.text
    assert "d<g taken for d<g: 5 of 5" in drawn.text
    assert drawn.text.count("taken for") == 3  # an empty cell is not drawn


def test_a_chart_of_many_classes_or_few_epochs_is_still_one():
    many = np.eye(151, dtype=np.int64)
    assert Page(charts.confusion(many, [f"class {n}" for n in range(151)])).open == []
    flat = charts.curves("loss", [1], {"training": [None], "validation": [0.5]})
    assert "validation, epoch 1: 0.5" in Page(flat).text
    assert "nan" not in flat
    assert charts.curves("loss", [], {"": []})
