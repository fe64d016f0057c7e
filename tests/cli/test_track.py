"""What `edgekit track` prints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import main
from edgekit.errors import DataError
from edgekit.run import Contender
from edgekit.tracking import Tracks
from edgekit.tracking.judging import Figures
from edgekit.verbs.track import Followed, Row, Tracked

FIGURES = Figures(
    mota=71.5,
    idf1=63.25,
    switches=12,
    fragmentations=3,
    misses=1204,
    false_positives=7,
    objects=4000,
    frames=160,
    identities=9,
    mostly_tracked=4,
    mostly_lost=1,
)


def row(*, figures=FIGURES, videos=2):
    contender = Contender(
        name="finder onnx-int8",
        model="finder",
        target="onnx",
        precision="int8",
        sha256="0" * 64,
        bytes=10,
        path="build/finder/onnx-int8",
        runtime="onnxruntime",
        delegate=None,
        threads=1,
    )
    one = Tracks(np.array([1, 4]), np.zeros((2, 4)), np.ones(2))
    followed = [Followed(f"test-{n:04}", (one,) * 80, 170, figures) for n in range(videos)]
    return Row(contender, tuple(followed), figures, 1.25, 0.5, 0.0625)


@pytest.fixture
def found(monkeypatch):
    """What the verb answers, and how it was asked."""
    asked = {}

    def answer(**changed):
        told = {
            "tracker": "sort",
            "embedding": None,
            "device": "local-cpu",
            "video": "glyph-videos",
            "rows": (row(),),
            **changed,
        }

        def track(artifacts, **arguments):
            asked.update(arguments, artifacts=artifacts)
            return Tracked(**told)

        monkeypatch.setattr("edgekit.verbs.track.track", track)
        return asked

    return answer


def test_figures_stand_in_a_table_with_what_they_were_counted_over(found, capsys):
    asked = found(written=(Path("t-test-0000.csv"),))
    assert main(["track", "build/finder", "-q", "--videos", "2", "-o", "t.csv"]) == 0
    printed = capsys.readouterr().out
    assert "sort on glyph-videos: 2 videos, 160 frames, on local-cpu" in printed
    for cell in ("71.50", "63.25", "12", "1,204", "1.25", "0.06"):
        assert cell in printed
    assert "4,000 objects of 9 identities" in printed
    assert "tracks: t-test-0000.csv" in printed
    assert "embedding" not in printed
    assert (asked["videos"], asked["out"], asked["tracker"]) == (2, Path("t.csv"), "sort")


def test_an_embedding_network_has_a_time_of_its_own(found, capsys):
    asked = found(tracker="deepsort", embedding="looks onnx-int8")
    arguments = ["--tracker", "deepsort", "--embedding", "build/looks@threads=2"]
    assert main(["track", "build/finder", "-q", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "deepsort with looks onnx-int8" in printed
    assert "0.50" in printed
    assert (asked["embedding"].path, asked["embedding"].threads) == (Path("build/looks"), 2)


def test_without_a_truth_that_is_said(found, capsys):
    found(rows=(row(figures=None, videos=1),), video="frames")
    assert main(["track", "build/finder", "--video", "frames", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "no figures: the truth of this video is not known" in printed
    assert "test-0000, 80 frames" in printed


def test_json_holds_figures_of_each_video_and_of_all(found, capsys):
    found()
    assert main(["track", "build/finder", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (one,) = document["rows"]
    assert one["figures"]["mota"] == 71.5
    assert [video["name"] for video in one["videos"]] == ["test-0000", "test-0001"]
    assert one["videos"][0]["identities_found"] == 2
    assert (one["detector_ms"], one["tracker_ms"]) == (1.25, 0.0625)


def test_a_failure_is_an_error_after_what_was_done(found, capsys):
    found(failures={"other": DataError("frame 3: broken")})
    assert main(["track", "build/finder", "-q"]) == 1
    printed = capsys.readouterr()
    assert "71.50" in printed.out
    assert printed.err.startswith("error: frame 3: broken")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "error: missing argument"),
        (["none"], "none: no such artifact"),
        (["none", "--tracker", "hungarian"], "'hungarian' is not one of"),
        (["none", "--tracker", "deepsort"], "deepsort asks what boxes look like"),
        (["none", "--threshold", "2"], "2.0 is not in the range"),
        (["none", "--videos", "0"], "0 is not in the range"),
        (["none", "--video", "a", "--videos", "2"], "--videos 2: a is one video"),
        (["none", "--video", "a", "--split", "test"], "--split test: a is one video"),
    ],
)
def test_what_is_wrong_is_one_error_line(capsys, arguments, complaint):
    assert main(["track", "-q", *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert complaint in error
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1
