"""A model's outputs against the classes of a data set: one score each, whatever it judges."""

from __future__ import annotations

import pytest

from edgekit.datasets import open_dataset, require_scores
from edgekit.errors import DataError


def check(dataset, *shapes):
    require_scores(open_dataset(dataset), shapes, model="mine", hint="train it again")


@pytest.mark.parametrize(
    ("dataset", "shapes"),
    [
        ("glyphs", [(36,)]),
        ("glyphs", [(1, 1, 36)]),
        ("glyphs", [(36,), (4, 4, 36)]),  # with others, the first is judged
        ("glyph-masks", [(32, 32, 2)]),
        ("glyph-scenes", [(84, 4), (84, 1)]),
        ("glyph-scenes", [(100, 4), (100,), (100,)]),  # it chose the objects itself
        ("glyph-pictures", [(32, 32, 3)]),  # labels are values
        ("glyphs", [(None,)]),
        ("glyphs", [(-1,)]),
    ],
)
def test_what_holds_a_score_for_each_class_or_does_not_tell_is_taken(dataset, shapes):
    check(dataset, *shapes)


@pytest.mark.parametrize(
    ("dataset", "shapes", "given"),
    [
        ("glyphs", [(35,)], 35),
        ("glyphs", [(2, 36)], 72),
        ("glyphs", [(10,), (36,)], 10),
        ("glyph-masks", [(32, 32, 3)], 3),
        ("glyph-scenes", [(84, 4), (84, 20)], 20),
        ("glyph-scenes", [(36,)], 36),  # a classifier, judged by boxes
    ],
)
def test_more_or_fewer_scores_are_refused_with_both_numbers(dataset, shapes, given):
    with pytest.raises(DataError, match=f"mine gives {given} outputs, the data set {dataset} has"):
        check(dataset, *shapes)
