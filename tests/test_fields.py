from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DataError
from edgekit.fields import Fields

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def fields(**data):
    return Fields(data, "here.toml", DataError)


def test_a_complaint_names_the_place_the_key_and_what_was_found():
    with pytest.raises(DataError, match=r"here\.toml: threads: expected a whole number, found '4'"):
        fields(threads="4").integer("threads", high=8)


def test_a_number_beyond_its_bounds_is_refused_with_the_bounds():
    with pytest.raises(DataError, match=r"here\.toml: threads: 9 is outside 0…8"):
        fields(threads=9).integer("threads", high=8)


def test_true_is_no_number():
    with pytest.raises(DataError, match="expected a whole number"):
        fields(threads=True).integer("threads", high=8)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_is_finite(value):
    with pytest.raises(DataError, match="is outside"):
        fields(seconds=value).number("seconds", high=10.0)


def test_a_missing_key_is_named():
    with pytest.raises(DataError, match=r"here\.toml: the key 'transport' is missing"):
        fields().text("transport")


def test_keys_that_nobody_took_are_named():
    rest = fields(known=1, knwon=2)
    rest.integer("known", high=5)
    with pytest.raises(DataError, match=r"here\.toml: unknown key knwon"):
        rest.done()


def test_text_without_end_is_cut_in_the_complaint_and_refused():
    with pytest.raises(DataError, match="5000 characters; at most 4096") as caught:
        fields(model="x" * 5000).text("model")
    assert len(str(caught.value)) < 200


def test_a_complaint_inside_a_table_names_the_table():
    with pytest.raises(DataError, match=r"here\.toml: timing: rounds: 0 is outside 1…9"):
        fields(timing={"rounds": 0}).table("timing").integer("rounds", low=1, high=9)


@given(anything)
def test_whatever_the_value_each_reader_returns_its_type_or_complains(value):
    readers = {
        str: lambda f: f.text("key"),
        int: lambda f: f.integer("key", low=-5, high=5),
        float: lambda f: f.number("key", high=5.0),
        bool: lambda f: f.flag("key"),
        list: lambda f: f.items("key", most=2),
        dict: lambda f: f.mapping("key"),
    }
    for kind, read in readers.items():
        with suppress(DataError):
            assert type(read(Fields({"key": value}, "it", DataError))) is kind
