"""What an export warns of, besides its table."""

from __future__ import annotations

from edgekit.cli.export import _warnings
from edgekit.measure import Placement
from edgekit.pace import Pace
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.rewrite.applied import Applied
from edgekit.verbs.export import ExportResult

SWISH = Finding(
    "hard-swish", ("a/mul",), 10.0, "1 hard-swish", "slow", ("tflite",), "x·t", "hard-swish"
)
SILU = Finding("silu", ("b/mul",), 10.0, "1 SiLU", "rounds twice", ("tflite",), "train anew")


CUT = "the delegate runs it in 19 pieces (float: 1), cut by HARD_SWISH ×18; --fix rewrites it"


def pace(ci95, label="tflite-int8"):
    cut = Placement(109, 90, 19, {"XNNPACK": 90}, "test", {"HARD_SWISH": 18})
    whole = Placement(108, 107, 1, {"XNNPACK": 107}, "test")
    return Pace(label, "tflite-fp32", "tflite", sum(ci95) / 2, ci95, 0.8, 0.3, cut, whole)


def warnings(*, findings=(), rewrites=(), timing=(), fix=True):
    result = ExportResult((), {}, 1.0, False, findings=findings, rewrites=rewrites, timing=timing)
    return _warnings(result, fix=fix)


def test_what_is_slower_is_warned_of_with_what_cuts_it_and_the_rewrite_that_was_left_out():
    said = warnings(findings=(SWISH,), timing=(pace((2.2, 2.4)),), fix=False)
    assert said == [
        "hard-swish: a/mul: 1 hard-swish; --fix rewrites it",
        "tflite-int8 is slower than fp32 here, 2.30 [2.20, 2.40] of its time: " + CUT,
    ]


def test_where_no_rewrite_is_left_another_precision_is_offered():
    (_, said) = warnings(findings=(SILU,), timing=(pace((2.2, 2.4)),))
    assert said.endswith("; dynamic (-p dynamic) or fp16 may pay more")
    (said,) = warnings(timing=(pace((2.2, 2.4), "tflite-dynamic"),))
    assert said.endswith("; fp16 may pay more")


def test_what_is_faster_or_as_fast_is_not_warned_of():
    assert warnings(timing=(pace((0.5, 0.6)), pace((0.9, 1.1)))) == []


def test_a_finding_that_was_cured_is_no_warning():
    done = Applied("hard-swish", 18, 122.0)
    assert warnings(findings=(SWISH, SILU), rewrites=(done,)) == ["silu: b/mul: 1 SiLU"]


def test_a_dropped_rewrite_is_a_warning_and_cures_nothing():
    dropped = Applied("hard-swish", 18, 40.0, "outputs differ, 40 dB, where 100 are rounding")
    assert warnings(findings=(SWISH,), rewrites=(dropped,)) == [
        "hard-swish: a/mul: 1 hard-swish",
        "hard-swish: 18 places, dropped: outputs differ, 40 dB, where 100 are rounding",
    ]
