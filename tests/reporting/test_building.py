from __future__ import annotations

import pytest

from edgekit.errors import ArtifactError, DeviceError
from edgekit.reporting.building import Sourced, comparable, facts_of
from edgekit.reporting.comparing import faster_by, ratio


def facts(run, **fields):
    return facts_of([], [Sourced(run, **fields)])


def test_one_that_is_slower_and_less_accurate_beyond_doubt_is_dominated(usual):
    (one,) = facts(usual).runs
    standings = {row.label: row.standing for row in one.rows}
    assert standings["openvino-int4"].dominated_by == 0
    assert standings["onnx-fp32"].outpaced_by == 0
    assert standings["tflite-int8"].dominated_by is standings["tflite-int8"].outpaced_by is None


def test_too_few_processes_are_not_judged(make):
    run = make.run(
        [(make.contender("tflite-int8"), 0.3), (make.contender("onnx-fp32"), 0.9)], rounds=5
    )
    (one,) = facts(run).runs
    assert [row.standing for row in one.rows] == [None, None]
    assert not one.rows[0].latency["cpu"].covers


def test_contenders_of_other_metrics_and_other_models_are_not_weighed_against_each_other(make):
    map50 = {**make.contender().metric, "name": "map50"}
    named = [
        (make.contender("tflite-int8"), 0.3),
        (make.contender("onnx-int8", top1=50.0, model="yolo"), 0.9),
        (make.contender("onnx-fp32", metric=map50), 0.9),
    ]
    (one,) = facts(make.run(named)).runs
    assert comparable(one.rows, "cpu") == [[0], [1], [2]]
    assert all(row.standing.dominated_by is None for row in one.rows)


def test_a_run_with_several_threads_is_judged_by_wall_time(make):
    one, two = make.contender(), make.contender(threads=2, name="mobilenet tflite-int8 threads=2")
    assert facts(make.run([(one, 0.3)])).runs[0].clock == "cpu"
    assert facts(make.run([(one, 0.3), (two, 0.3)])).runs[0].clock == "wall"


def test_a_clock_that_is_too_coarse_measured_nothing(make):
    one = make.contender()
    run = make.run([(one, lambda _: 0.3)])
    coarse = tuple(
        type(turn)(**{**{name: getattr(turn, name) for name in turn.__slots__},
                      "measurement": make.measurement(0.3, cpu_ns=(0,) * 80)})
        for turn in run.turns
    )  # fmt: skip
    (found,) = facts(make.run([(one, 0.3)], turns=coarse)).runs
    assert found.clock == "wall"
    assert found.rows[0].latency["cpu"] is None


def test_only_the_artifacts_that_are_asked_for_are_shown(usual):
    wanted = usual.contenders[1]
    found = facts(usual, only=frozenset([wanted.sha256]))
    assert [row.contender for row in found.runs[0].rows] == [wanted]
    assert found.runs[0].left_out == 2
    assert [one.sha256 for one in found.artifacts] == [wanted.sha256]


def test_names_lose_the_model_where_all_are_of_one(make, usual):
    assert next(row.label for row in facts(usual).runs[0].rows) == "tflite-int8"
    two = make.run([(make.contender(), 0.3), (make.contender(model="yolo"), 0.5)])
    assert [row.label for row in facts(two).runs[0].rows] == [
        "mobilenet tflite-int8", "yolo tflite-int8",
    ]  # fmt: skip


def test_pairs_of_rounds_tell_apart_what_the_noise_of_the_machine_hides(make):
    # Both drift together by a factor of three; the second is 5 % slower in every round.
    named = [
        (make.contender("tflite-int8"), lambda round_: 0.3 * (1 + round_ % 4)),
        (make.contender("onnx-int8"), lambda round_: 0.315 * (1 + round_ % 4)),
    ]
    rows = facts(make.run(named, rounds=12, noise=0.005)).runs[0].rows
    first, second = (row.latency["cpu"] for row in rows)
    assert first.high > second.low
    faster = faster_by(rows, "cpu")
    assert faster(0, 1)
    assert not faster(1, 0)
    found = ratio(rows[0], rows[1], "cpu")
    assert found.ci95[0] <= 1.05 <= found.ci95[1]


def test_with_too_few_rounds_in_common_disjoint_intervals_decide(make):
    named = [(make.contender("tflite-int8"), 0.3), (make.contender("onnx-int8"), 0.6)]
    rows = facts(make.run(named, rounds=6)).runs[0].rows
    assert ratio(rows[0], rows[1], "cpu") is None
    assert faster_by(rows, "cpu")(0, 1)
    few = facts(make.run(named, rounds=5)).runs[0].rows
    assert not faster_by(few, "cpu")(0, 1)


def test_a_damaged_metric_or_pass_is_refused(make):
    with pytest.raises(ArtifactError, match="metric"):
        facts(make.run([(make.contender(metric={"name": "top1"}), 0.3)]))
    one = make.contender()
    with pytest.raises(DeviceError, match="ops"):
        facts(make.run([(one, 0.3)], passes={one.name: {"ops": {"ops": []}}}))


def test_an_artifact_in_a_folder_says_more_than_a_run(make, make_artifact):
    artifact = make_artifact("tflite")
    known = make.contender(
        "tflite-fp32", model="tiny", sha256=artifact.sha256, name="tiny tflite-fp32"
    )
    found = facts_of([artifact], [Sourced(make.run([(known, 0.3)]))])
    assert len(found.artifacts) == 1
    assert found.artifacts[0].parity.max_abs == 1.5e-7
    assert found.runs[0].rows[0].proven.metric is None


def test_newer_runs_go_first_and_sustained_ones_last(make):
    one = [(make.contender(), 0.3)]
    sourced = [
        Sourced(make.run(one, rounds=2, started=started, command=command))
        for started, command in (
            ("2026-01", "profile"),
            ("2026-03", "sustained"),
            ("2026-02", "profile"),
        )
    ]
    assert [found.run.started for found in facts_of([], sourced).runs] == [
        "2026-02", "2026-01", "2026-03",
    ]  # fmt: skip
