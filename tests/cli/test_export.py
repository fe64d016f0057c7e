"""What an export warns of, besides its table."""

from __future__ import annotations

import pytest

from edgekit.cli.export import _losses, _warnings
from edgekit.making import Made
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
    result = ExportResult(Made((), {}, 1.0), findings=findings, rewrites=rewrites, timing=timing)
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


def kept(*shares):
    entry = {"op": "CONV_2D", "ops": 1, "dtype": "float32"}
    return [{"name": f"conv{i}", "share": share, **entry} for i, share in enumerate(shares)]


@pytest.fixture
def mixed(make_artifact):
    """Both kinds of warnings for an int8 artifact with layers in float."""

    def make(*shares, ci95):
        artifact = make_artifact(precision="int8", kept=kept(*shares))
        result = ExportResult(Made((artifact,), {}, 1.0), timing=(pace(ci95),))
        return _warnings(result, fix=True) + _losses(result)

    return make


def test_a_mixed_file_that_is_nearly_float_is_said_to_be_so(mixed):
    assert mixed(0.5, 0.45, ci95=(0.7, 0.9)) == [
        (
            "tflite-int8 is nearly the float file: 2 layers in float, 95% of the multiply-adds; "
            "fp32 or fp16 is the better one"
        )
    ]


def test_a_mixed_file_that_is_no_faster_is_warned_of_once(mixed):
    assert mixed(0.5, ci95=(1.1, 1.3)) == [
        (
            "tflite-int8 with 1 layer in float, 50% of the multiply-adds, is no faster than the "
            "float file, 1.20 [1.10, 1.30] of fp32's time; fp32 or fp16 is the better one"
        )
    ]


def test_a_mixed_file_that_pays_is_not_warned_of(mixed):
    assert mixed(0.5, ci95=(0.5, 0.6)) == []
