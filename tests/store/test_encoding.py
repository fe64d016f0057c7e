from __future__ import annotations

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import StoreError
from edgekit.store.encoding import pack, pack_series, unpack, unpack_series

SERIES = st.dictionaries(
    st.sampled_from(["samples_ns", "call_ns", "cpu_ns", "blocks", "größe"]),
    st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 300), max_size=50),
)


@given(SERIES)
def test_series_come_back_as_they_were(series):
    assert unpack_series(pack_series(series), "here") == series


@given(SERIES, st.data())
def test_a_blob_that_was_cut_off_or_prolonged_is_refused(series, data):
    blob = pack_series(series)
    cut = data.draw(st.integers(0, len(blob) - 1))
    with pytest.raises(StoreError, match="here: damaged"):
        unpack_series(blob[:cut], "here")
    plain = zlib.decompress(blob)
    with pytest.raises(StoreError, match="here: damaged"):
        unpack_series(zlib.compress(plain + b"x"), "here")


@given(st.binary(max_size=200))
def test_any_bytes_are_series_or_refused(plain):
    for blob in (plain, zlib.compress(plain)):
        with suppress(StoreError):
            unpack_series(blob, "here")


def test_a_blob_that_swells_is_refused_before_it_fills_the_memory():
    with pytest.raises(StoreError, match="too many"):
        unpack_series(zlib.compress(b"{}\n" + bytes(60_000_000)), "here")


def test_raw_samples_and_only_they_leave_the_document(make_turn):
    turn = make_turn(environment={"affinity": [0, 1], "load_1min": 0.5})
    facts, samples = pack(turn)
    assert "samples_ns" not in facts
    assert '"affinity":[0,1]' in facts
    assert unpack(facts, samples, "here") == turn


def test_a_series_of_another_sign_stays_in_the_document():
    facts = {"samples_ns": [1], "drift_ns": [-1, 2], "shares": [0.5], "flags": [True]}

    class Measured:
        def to_json(self):
            return {"measurement": facts}

    text, samples = pack(Measured())
    assert unpack_series(samples, "here") == {"samples_ns": [1]}
    assert text == '{"measurement":{"drift_ns":[-1,2],"shares":[0.5],"flags":[true]}}'


def test_samples_take_a_fraction_of_what_they_take_as_text(make_turn):
    turn = make_turn(calls=3000)
    facts, samples = pack(turn)
    assert len(facts) + len(samples) < len(str(turn.to_json())) / 2


@pytest.mark.parametrize("facts", ["", "[]", "{", '{"measurement": 3}', "{}"])
def test_a_damaged_document_is_refused(make_turn, facts):
    with pytest.raises(StoreError, match="here: damaged"):
        unpack(facts, pack(make_turn())[1], "here")
