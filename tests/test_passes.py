from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError, UsageError
from edgekit.passes import PASSES, STEPS, OpTimes, chosen, ops_document, parse, typical

MEMORY = {
    "steps": [
        {
            "step": name,
            "rss_bytes": 10,
            "peak_rss_bytes": None,
            "anonymous_bytes": 7,
            "file_bytes": 3,
            "shared_bytes": 0,
        }
        for name in STEPS
    ],
    "calls": 50,
    "model_bytes": 100,
    "evidence": "/proc",
}
OPS = ops_document(
    {"a": OpTimes("Conv", 4, [2.0, 2.0]), "b": OpTimes("Add", 2, [1.0, 1.0])},
    calls=2,
    call_ms=4.0,
    resolution_ms=0.001,
    evidence="a profile",
)
PHASES = {
    "phases": {
        name: {"median_ms": 1.0, "ci95_ms": [0.5, 1.5]}
        for name in ("preprocess", "inference", "postprocess")
    },
    "steps": {"preprocess": ["decode JPEG"], "postprocess": []},
    "sample": "JPEG",
    "processes": 7,
    "repetitions": 30,
    "evidence": "here",
}
ENERGY = {
    "counter": "RAPL",
    "joules": {"median": -0.001, "ci95": [-0.01, 0.02]},
    "idle_watts": 5.0,
    "active_watts": 9.0,
    "calls": 100,
    "repetitions": 8,
    "temperature_c": {"before": None, "after": 50.0},
    "evidence": "in turn",
}
DOCUMENTS = {"memory": MEMORY, "ops": OPS, "phases": PHASES, "energy": ENERGY}


def paths(value, way=()):
    """The way to every key of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*way, key)
            yield from paths(inner, (*way, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*way, index))


WAYS = [(name, way) for name, document in DOCUMENTS.items() for way in paths(document)]


@pytest.mark.parametrize("name", PASSES)
def test_a_document_is_read_as_it_was_written(name):
    assert parse(name, copy.deepcopy(DOCUMENTS[name])) == DOCUMENTS[name]


@pytest.mark.parametrize("name", PASSES)
def test_an_absence_is_a_document_of_every_pass(name):
    assert parse(name, {"unavailable": "no counter\x1b[2J"}) == {
        "unavailable": "no counter\N{REPLACEMENT CHARACTER}[2J"
    }


@given(st.sampled_from(WAYS), st.sampled_from(["text", -1e300, [], {}, True, math.nan]))
def test_a_damaged_document_is_refused_or_says_the_same_kind_of_thing(where, value):
    name, way = where
    document = copy.deepcopy(DOCUMENTS[name])
    place = document
    for key in way[:-1]:
        place = place[key]
    sort = type(place[way[-1]])
    place[way[-1]] = value
    try:
        found = parse(name, document)
    except DeviceError:
        return
    for key in way:
        found = found[key]
    assert isinstance(found, sort)


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_a_key_that_is_missing_is_refused_or_unknown(name, way):
    document = copy.deepcopy(DOCUMENTS[name])
    place = document
    for key in way[:-1]:
        place = place[key]
    optional = place.pop(way[-1]) is None or way[-1].endswith(("_bytes", "after"))
    if optional:
        parse(name, document)
    else:
        with pytest.raises(DeviceError):
            parse(name, document)


def test_shares_must_add_up():
    document = copy.deepcopy(OPS)
    document["ops"][0]["share"] = 0.1
    with pytest.raises(DeviceError, match="shares don't add up to 1"):
        parse("ops", document)


@given(
    st.dictionaries(
        st.text("abé 1", max_size=4), st.lists(st.floats(0, 1e6), min_size=1), min_size=1
    )
)
def test_shares_of_any_profile_add_up_to_1_or_there_is_none(times):
    found = ops_document(
        {name: OpTimes("op", len(ms), ms) for name, ms in times.items()},
        calls=9,
        call_ms=1.0,
        resolution_ms=0.001,
        evidence="made up",
    )
    if "ops" in found:
        assert parse("ops", found) == found


@given(st.lists(st.floats(0.5, 2), min_size=5, max_size=50))
def test_one_interruption_in_five_calls_moves_a_typical_time_nowhere_far(values):
    disturbed = [*values, *[1e6] * (len(values) // 5)]
    assert min(values) <= typical(disturbed) <= max(values)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("none", ()),
        ("", ()),
        ("all", PASSES),
        ("ops,memory", ("memory", "ops")),
        (" energy , energy", ("energy",)),
    ],
)
def test_passes_are_chosen_by_name(text, names):
    assert chosen(text) == names


def test_a_name_that_is_no_pass_is_refused():
    with pytest.raises(UsageError, match="'opps' is no pass"):
        chosen("memory,opps")
    with pytest.raises(UsageError, match="'all' is no pass"):
        chosen("memory,all")
