from __future__ import annotations

import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import UsageError
from edgekit.moments import is_moment, moment_before, moment_since, now


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21", "2026-11-21T00:00:00Z"),
        (" 2026-11-21T08:00 ", "2026-11-21T08:00:00Z"),
        ("2026-11-21T09:00:00+01:00", "2026-11-21T08:00:00Z"),
        ("0999-01-01", "0999-01-01T00:00:00Z"),
    ],
)
def test_a_date_or_a_time_is_a_moment_of_utc(text, moment):
    assert moment_since(text) == moment


def test_an_age_is_counted_from_now():
    assert moment_before(days=7.01) < moment_since("7d") < moment_before(days=6.99)
    assert moment_before(days=0.51) < moment_since("12 h") < moment_before(days=0.49)
    assert moment_since("99999d") < now()


@pytest.mark.parametrize(
    "text",
    ["banana", "", "7", "-7d", "7w", "2026-13-01", "0001-01-01T00:00+05:00", "٧d", "9" * 5000],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(UsageError, match="expected a date like 2026-11-21") as caught:
        moment_since(text)
    assert len(caught.value.message) < 200


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_read_is_written_as_it_sorts(then):
    moment = moment_since(then.isoformat())
    assert is_moment(moment)
    assert moment == then.isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-11-21", "2026-11-21T23:17:28", "2026-11-21T23:17:28+01:00",
             "2026-1-21T23:17:28Z", "2026-11-31T23:17:28Z", ""],
)  # fmt: skip
def test_what_is_not_written_as_now_is_no_moment(text):
    assert is_moment(now())
    assert re.fullmatch(r"[0-9T:-]{19}Z", now())
    assert not is_moment(text)
