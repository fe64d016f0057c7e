"""What is refused before anything is measured, and what becomes of a gate that fails."""

from __future__ import annotations

import platform
from xml.etree import ElementTree as ET

import pytest

from edgekit.checking.github import to_annotations, to_summary
from edgekit.errors import ArtifactError, DeviceError, StoreError, UsageError
from edgekit.store import Store
from edgekit.verbs.check import check, init

MACHINE = f'[require]\nmachine = "{platform.machine()}"\n'


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


@pytest.fixture
def checked(tmp_path, conv):
    """Check a budget of gates on the artifact, each given by its lines, `head` before them."""

    def run(*gates, head="", artifact=conv, **options):
        file = tmp_path / "budget.toml"
        file.write_text(
            head + "".join(f'[gate.g{at}]\nartifact = "{artifact}"\n{lines}\n'
                           for at, lines in enumerate(gates))
        )  # fmt: skip
        return check(file, **options)

    return run


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("max_ms = 1", "g1: max_ms: a limit in milliseconds holds for one machine"),
        ('max_p90_ms = 1\nrequire.system = "Linux"', "holds for one machine"),
        ("min_accuracy = 101", r"g1: min_accuracy: 101 is outside 0…100, where top1 is"),
        ("min_accuracy = 0.97", "0.97 is in percent"),
        ("max_drop = 101", "max_drop: 101 is outside -100…100"),
        ('max_mb = 1\ndevice = "nowhere"', "unknown device 'nowhere'"),
    ],
)
def test_a_senseless_gate_is_refused_before_any_is_measured(checked, text, complaint, monkeypatch):
    monkeypatch.setattr("edgekit.verbs.check.measure", None)
    with pytest.raises(UsageError, match=complaint):
        checked("max_rss_mb = 500", text)


@pytest.mark.parametrize(
    ("text", "kind", "complaint"),
    [
        ('baseline = "none"\nmax_slower = "1 %"', ArtifactError, "none: no such artifact"),
        ('baseline_run = "run:7/1"\nmax_slower = "1 %"', StoreError, "no run 7"),
        ('baseline_run = "x.json"\nmax_slower = "1 %"', DeviceError, "x.json: no such run"),
    ],
)
def test_a_gate_whose_baseline_is_missing_is_an_error_and_the_others_are_judged(
    checked, text, kind, complaint
):
    result = checked("max_mb = 1", text, "max_mb = 1e-6")
    assert [one.verdict for one in result.gates] == ["pass", "error", "regression"]
    failed = result.gates[1]
    assert isinstance(failed.error, kind)
    assert complaint in failed.error.message
    assert (result.error.exit_code, failed.contender) == (1, None)


def test_a_missing_artifact_is_told_in_every_form(checked, tmp_path):
    junit = tmp_path / "report.xml"
    result = checked("max_mb = 1\nmin_accuracy = 2", artifact="gone", junit=junit)
    told = result.to_json()["gates"][0]
    assert (told["verdict"], told["artifact"], told["sha256"]) == (
        "error", str(tmp_path / "gone"), None,
    )  # fmt: skip
    suite = ET.parse(junit).getroot().find("testsuite")
    assert suite.get("errors") == "2"
    assert "gone: no such artifact" in suite.find("testcase/error").get("message")
    head = "::error file=budget.toml,line=1,title=edgekit check%3A g0::"
    assert to_annotations(result, tmp_path) == [f"{head}{tmp_path}/gone: no such artifact"]
    assert "gone: no such artifact" in to_summary(result)


def test_a_gate_takes_one_artifact(checked, conv, make_conv, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "build" / name).mkdir(parents=True)
        make_conv(tmp_path / "build" / name)
    with pytest.raises(UsageError, match="holds 2 artifacts; a gate takes one"):
        checked("max_mb = 1", artifact="build")


def test_an_artifact_without_accuracy_has_no_limit_on_it(checked, make_conv, tmp_path):
    (tmp_path / "plain").mkdir()
    make_conv(tmp_path / "plain", metric=None)
    (gate,) = checked("min_accuracy = 2", artifact="plain").gates
    assert "its accuracy is not known" in gate.error.message
    assert "evaluate = true" in gate.error.hint


def test_what_stands_in_the_manifest_is_judged_without_a_process(checked, monkeypatch):
    monkeypatch.setattr("edgekit.checking.measuring.carry_out", None)
    monkeypatch.setattr("edgekit.checking.measuring.connect", None)
    result = checked("max_mb = 1\nmin_accuracy = 97\nmax_drop = 0.4")
    verdicts = {one.limit: one.verdict for one in result.gates[0].findings}
    assert verdicts == {"max_mb": "pass", "min_accuracy": "pass", "max_drop": "regression"}


def test_another_machine_than_the_budgets_is_refused_and_the_other_gates_are_judged(checked):
    result = checked("max_mb = 1", "max_ms = 1", head='[require]\ncpu_model = "Abacus"\n')
    size, latency = result.gates
    assert (size.verdict, latency.verdict, result.error.exit_code) == ("pass", "error", 1)
    assert isinstance(latency.error, DeviceError)
    assert "is not what budget.toml was written for: cpu_model is " in latency.error.message
    assert latency.error.limit.startswith("require.cpu_model in ")


def test_a_runtime_that_is_not_there_is_an_error_with_status_1(checked, conv):
    result = checked("max_rss_mb = 500", artifact=f"{conv}@runtime=nothing")
    assert "unknown runtime 'nothing'" in result.error.details[0]
    assert result.error.exit_code == 1
    assert (result.verdict, result.gates[0].to_json()["limits"]) == ("error", [])


def test_a_yardstick_that_took_no_part_in_the_baselines_run_is_refused(
    checked, make_conv, make_run, tmp_path
):
    (tmp_path / "other").mkdir()
    make_conv(tmp_path / "other", seed=8, model="other")
    with Store.open() as store:
        number = store.keep(make_run(m=[1.0] * 10))
    lines = f'baseline_run = "run:{number}/1"\ncommon = "other"\nmax_slower = "1 %"'
    (gate,) = checked(lines).gates
    assert "other onnx-fp32 took no part in run 1" in gate.error.message


def test_gates_can_be_chosen_by_name(checked):
    result = checked("max_mb = 1", "max_mb = 0.000001", only=["g1"])
    assert [one.gate.name for one in result.gates] == ["g1"]
    with pytest.raises(UsageError, match="unknown gate 'g7'"):
        checked("max_mb = 1", only=["g7"])


def test_accuracy_is_measured_anew_where_asked_and_kept(checked, make_artifact, dataset):
    artifact = make_artifact("onnx")
    lines = f'evaluate = true\nsamples = 30\ndataset = "{dataset}"\n'
    result = checked(f"{lines}min_accuracy = 2\nmax_drop = 1", artifact=artifact.path)
    accuracy, drop = result.gates[0].findings
    assert (accuracy.count, accuracy.counted, drop.verdict) == (30, "samples", "inconclusive")
    low, high = accuracy.interval
    assert low <= accuracy.measured <= high
    assert result.gates[0].measured.environment["cpu_count"]
    with Store.open() as store:
        (kept,) = store.evaluations(sha256=artifact.sha256)[0].values()
    assert (kept.samples, kept.metric["value"]) == (30, pytest.approx(accuracy.measured, abs=1e-3))


def test_junit_is_found_out_not_to_be_writable_before_the_measuring(checked, tmp_path, monkeypatch):
    monkeypatch.setattr("edgekit.verbs.check.prepare", None)
    with pytest.raises(UsageError, match="--junit names a file"):
        checked("max_mb = 1", junit=tmp_path)


def test_a_first_budget_needs_an_artifact(tmp_path):
    with pytest.raises(UsageError, match="no artifact was named"):
        init([], tmp_path / "budget.toml")
    assert not (tmp_path / "budget.toml").exists()
