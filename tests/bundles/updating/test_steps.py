"""Steps from one file's bytes to another's give them back, and nothing else."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundles.updating.steps import apply_steps, find_steps
from edgekit.errors import ArtifactError

pytest.importorskip("bsdiff4", reason="pip install -e '.[bundle]'")


def by_the_words(old, steps):
    """The three sentences of `edgekit.bundles.updating.steps`, byte by byte."""
    (count,) = struct.unpack_from("<I", steps)
    told = [struct.unpack_from("<IIi", steps, 4 + 12 * step) for step in range(count)]
    differences = 4 + 12 * count
    extras = differences + sum(add for add, _, _ in told)
    made, place = bytearray(), 0
    for add, copy, seek in told:
        for _ in range(add):
            made.append((old[place] + steps[differences]) % 256)
            place, differences = place + 1, differences + 1
        for _ in range(copy):
            made.append(steps[extras])
            extras += 1
        place += seek
    return bytes(made)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_steps_lead_from_anything_to_anything(old, new):
    steps = find_steps(old, new)
    assert apply_steps(old, steps, len(new)) == new
    assert by_the_words(old, steps) == new


@given(st.binary(min_size=1, max_size=2000), st.lists(st.integers(0, 1999), max_size=4))
def test_a_file_that_was_cut_and_put_together_otherwise_comes_back(old, cuts):
    places = sorted(cut % len(old) for cut in cuts)
    pieces = [old[a:b] for a, b in zip([0, *places], [*places, len(old)], strict=True)]
    new = b"new".join(reversed(pieces))
    assert apply_steps(old, find_steps(old, new), len(new)) == new


def test_a_small_change_takes_small_steps():
    import zlib

    old = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8).tobytes()
    new = old[:40_000] + b"something else" + old[40_000:]
    assert len(zlib.compress(find_steps(old, new))) < 400


def test_files_too_large_to_look_for_steps_have_none(monkeypatch):
    monkeypatch.setattr("edgekit.bundles.updating.steps.MOST_BYTES", 10)
    assert find_steps(b"x" * 11, b"x") is None


def test_damaged_steps_give_an_error_or_bytes_of_the_size_that_was_said():
    draw = random.Random(2)
    old = bytes(draw.randrange(256) for _ in range(3000))
    new = old[1000:] + b"more" * 20 + old[:500]
    steps = find_steps(old, new)
    for _ in range(500):
        broken = bytearray(steps)
        for _ in range(draw.randrange(1, 4)):
            broken[draw.randrange(min(len(broken), 60))] = draw.randrange(256)
        broken = bytes(broken[: draw.choice((None, None, draw.randrange(len(broken))))])
        try:
            assert len(apply_steps(old, broken, len(new))) == len(new)
        except ArtifactError:
            continue


@pytest.mark.parametrize(
    "steps",
    [b"", b"\x01", struct.pack("<I", 2**32 - 1), struct.pack("<IIIi", 1, 2**32 - 1, 0, 0),
     struct.pack("<IIIi", 1, 0, 2**31, 0), struct.pack("<IIIiIIi", 2, 0, 0, -1, 1, 0, 0) + b"x"],
)  # fmt: skip
def test_steps_that_leave_a_file_are_refused(steps):
    with pytest.raises(ArtifactError):
        apply_steps(b"old", steps, 1)
