"""One step at a time, each answered once, whatever the connection does."""

from __future__ import annotations

import json
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError, RuntimeFault
from edgekit.transports.web.exchange import Exchange, PageLost
from edgekit.transports.web.framing import unpack


def packed(document, raw=b""):
    header = json.dumps(document).encode()
    return struct.pack("<I", len(header)) + header + raw


def answering(exchange, *answers):
    """A page that answers each step with the next of `answers`; returns the steps it was asked."""
    asked = []

    def page():
        done = 0
        for answer in answers:
            step = exchange.next(done, 20.0)
            asked.append(step)
            if step is None:
                return
            answer(step.number) if callable(answer) else exchange.answered(step.number, answer)
            done = step.number

    threading.Thread(target=page, daemon=True).start()
    return asked


@pytest.fixture
def claimed(exchange):
    exchange.claim("", "first")
    return exchange


def test_steps_are_asked_in_order_and_numbered(claimed):
    asked = answering(claimed, packed({"a": 1}), packed({"a": 2}))
    assert claimed.ask({"step": "x"}, timeout_s=20)[0] == {"a": 1}
    assert claimed.ask({"step": "y"}, timeout_s=20)[0] == {"a": 2}
    assert [(one.number, one.step) for one in asked] == [(1, {"step": "x"}), (2, {"step": "y"})]


def test_an_answer_that_arrives_twice_counts_once(claimed):
    def twice(number):
        assert claimed.answered(number, packed({"n": 1}))
        assert claimed.answered(number, packed({"n": "again"}))

    answering(claimed, twice, packed({"n": 2}))
    assert claimed.ask({}, timeout_s=20)[0] == {"n": 1}
    assert claimed.ask({}, timeout_s=20)[0] == {"n": 2}
    assert claimed.answered(1, packed({"n": "late"}))
    assert not claimed.answered(99, packed({}))


def test_a_page_that_lost_its_connection_gets_the_same_step_again(claimed):
    answering(claimed, lambda _: None)  # it asks, and is never heard of again
    again = []

    def page():
        while not again:
            if (step := claimed.next(0, 1.0)) is not None:
                again.append(step)
        claimed.answered(again[0].number, packed({"fine": True}))

    threading.Thread(target=page, daemon=True).start()
    assert claimed.ask({"step": "block"}, timeout_s=20)[0] == {"fine": True}


def test_a_page_that_was_loaded_anew_has_lost_its_model(claimed):
    before = claimed.loads
    answering(claimed, lambda _: claimed.claim(claimed._owner, "second"))
    with pytest.raises(PageLost, match="loaded the page anew"):
        claimed.ask({"step": "block"}, load=before, timeout_s=20)


def test_a_page_that_goes_and_comes_back_in_time_is_not_lost(claimed):
    claimed.connected()
    claimed.disconnected()
    claimed.connected()
    answering(claimed, packed({"back": True}))
    assert claimed.ask({}, timeout_s=20)[0] == {"back": True}


def test_a_page_that_goes_and_stays_away_is_one_error(claimed):
    claimed.connected()
    claimed.disconnected()
    with pytest.raises(PageLost, match="the test is gone: the tab crashed, or was closed"):
        claimed.ask({}, timeout_s=20)


def test_a_browser_that_ends_is_the_error_of_whoever_waits(claimed):
    answering(claimed, lambda _: claimed.end(RuntimeFault("the browser ended by signal 9")))
    with pytest.raises(RuntimeFault, match="signal 9"):
        claimed.ask({}, timeout_s=20)


def test_a_step_that_takes_too_long_is_one_error(claimed):
    with pytest.raises(RuntimeFault, match=r"longer than its limit of 0\.01 s"):
        claimed.ask({}, timeout_s=0.01)


def test_nobody_came_is_one_error(exchange):
    with pytest.raises(DeviceError, match=r"the test has not opened the page within 0\.01 s"):
        exchange.wait_for_page(0.01)


@pytest.mark.parametrize(
    ("kind", "expected"), [("device", DeviceError), ("runtime", RuntimeFault), (None, RuntimeFault)]
)
def test_what_the_page_says_went_wrong_is_an_error_here(claimed, kind, expected):
    said = {"kind": kind, "message": "no \x1b[31mWebGPU", "details": ["one"], "hint": "wasm"}
    answering(claimed, packed({"error": said}))
    with pytest.raises(expected, match="no �\\[31mWebGPU") as caught:
        claimed.ask({}, timeout_s=20)
    assert (caught.value.details, caught.value.hint) == (("one",), "wasm")


@given(st.binary(max_size=200))
def test_bytes_of_a_stranger_are_an_answer_or_an_error(data):
    try:
        header, raw = unpack(data)
    except DeviceError:
        return
    assert isinstance(header, dict)
    assert len(raw) <= len(data)


@given(st.dictionaries(st.text(max_size=5), st.integers()), st.binary(max_size=50))
def test_an_answer_is_read_as_it_was_written(document, raw):
    found, rest = unpack(packed(document, raw))
    assert bytes(rest) == raw
    assert list(found.values()) == list(json.loads(json.dumps(document)).values()) or len(
        found
    ) < len(document)  # names that differ by a control character only


def test_tokens_and_secrets_are_not_to_be_guessed():
    many = {Exchange(away_s=1.0, whose="x").token for _ in range(50)}
    assert len(many) == 50
    assert all(len(token) >= 24 for token in many)
