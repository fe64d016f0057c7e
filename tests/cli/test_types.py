from __future__ import annotations

import click
import pytest

from edgekit.cli.types import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("5m", 300.0), ("1h", 3600.0), ("45", 45.0), ("1.5m", 90.0), (" 2 m ", 120.0)],
)
def test_a_time_is_a_number_and_a_unit(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 minutes", "1e9h", "inf", "nan", "5m30s"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(click.BadParameter, match="expected a time like 90s, 5m or 1h"):
        Duration().convert(text, None, None)
