"""`edgekit check` through the real command line, with real runtimes whose truth is known."""

from __future__ import annotations

import json
import tomllib
from xml.etree import ElementTree as ET

import pytest

from edgekit.measuring.comparison import LEAST_ROUNDS

# Half of the delay: far from 0 % and from 5 % alike.
LIMIT = "2.5 %"


def budget(place, **gates):
    """Write a BUDGET.toml of gates, each a table of lines."""
    text = "".join(f"[gate.{name}]\n{lines}\n" for name, lines in gates.items())
    file = place / "budget.toml"
    file.write_text(text)
    return file


def slower(conv, runtime, baseline, limit=LIMIT):
    return (
        f'artifact = "{conv}@runtime={runtime}"\n'
        f'baseline = "{conv}@runtime={baseline}"\n'
        f'max_slower = "{limit}"\nbudget_s = 1\n'
    )


def complaint(done):
    """Standard error without the one warning that depends on how busy the machine is."""
    lines = done.stderr.splitlines(keepends=True)
    return "".join(line for line in lines if "rounds, which are the least, took" not in line)


def test_an_artifact_slowed_by_five_percent_is_a_regression(edgekit, conv, tmp_path):
    gate = slower(conv, "onnxruntime+50", "onnxruntime+0")
    budget(tmp_path, speed=gate + "max_mb = 1\n")
    done = edgekit(
        "check", "budget.toml", "--junit", "out/junit.xml", "-q", folder=tmp_path,
        GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
        GITHUB_WORKSPACE=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert complaint(done).startswith("error: 1 of 2 limits broken\n  speed: max_slower +")
    (mark,) = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert mark.startswith(
        "::error file=budget.toml,line=4,title=edgekit check%3A speed::max_slower +"
    )
    assert "| ❌ | speed | max_slower | +" in (tmp_path / "summary.md").read_text()
    cases = ET.parse(tmp_path / "out" / "junit.xml").getroot().findall("testsuite/testcase")
    assert {case.get("name"): [child.tag for child in case] for case in cases} == {
        "max_slower": ["failure"],
        "max_mb": ["system-out"],
    }


def test_the_same_artifact_passes(edgekit, conv, tmp_path):
    budget(tmp_path, speed=slower(conv, "onnxruntime+0", "onnxruntime+0"))
    done = edgekit("check", "budget.toml", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    (gate,) = document["gates"]
    (limit,) = gate["limits"]
    assert (document["verdict"], document["exit_status"], limit["verdict"]) == ("pass", 0, "pass")
    assert limit["interval"][0] < limit["measured"] < limit["interval"][1] <= 2.5
    assert (limit["bound"], limit["unit"], limit["count"]) == (2.5, "%", LEAST_ROUNDS)
    assert gate["sha256"] == gate["baseline"]["sha256"]
    kept = edgekit("history", "show", gate["run"], "--json", folder=tmp_path)
    assert kept.returncode == 0, kept.stderr


def test_a_hopelessly_noisy_run_is_inconclusive(edgekit, conv, tmp_path):
    (tmp_path / "noise").mkdir()
    budget(tmp_path, speed=slower(conv, "onnxruntime-noisy", "onnxruntime-noisy"))
    done = edgekit(
        "check", "budget.toml", "-q", "--seed", 1, folder=tmp_path, NOISE=str(tmp_path / "noise")
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert complaint(done).startswith(
        "error: inconclusive: 1 of 1 limits not decided\n  speed: max_sl"
    )
    assert len(list((tmp_path / "noise").iterdir())) == 2 * LEAST_ROUNDS
    assert "warning: speed: 10 rounds, which are the least, took " in done.stderr


@pytest.fixture(scope="module")
def first(edgekit, conv, make_conv, tmp_path_factory):
    """A folder with a first budget of two artifacts, written by `--init`."""
    folder = tmp_path_factory.mktemp("first")
    other = folder / "other" / "onnx-fp32"
    other.mkdir(parents=True)
    make_conv(other, seed=8, model="other", metric=None)
    done = edgekit(
        "check", "--init", f"{conv}@runtime=onnxruntime", other, "-o", "ci/budget.toml",
        "--budget", "1s", "--json", folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_first_budget_has_limits_that_are_kept_now(first):
    folder, made = first
    found = tomllib.loads((folder / made["file"]).read_text())
    assert list(found["gate"]) == made["gates"] == ["conv-onnx-fp32", "other-onnx-fp32"]
    gate, other = found["gate"].values()
    assert gate["artifact"].endswith("onnx-fp32@runtime=onnxruntime")
    assert other["artifact"] == "../other/onnx-fp32"
    assert (gate["min_accuracy"], gate["max_drop"]) == (97.0, 1.0)
    assert not {"min_accuracy", "max_drop"} & {*other}
    assert 0 < gate["max_ms"] < 100
    assert 20 < gate["max_rss_mb"] < 1000
    assert found["require"]["cpu_model"]


def test_a_first_budget_is_never_written_over_another(edgekit, first):
    folder, made = first
    before = (folder / made["file"]).read_bytes()
    done = edgekit("check", "--init", "other", "-o", made["file"], folder=folder)
    assert (done.returncode, (folder / made["file"]).read_bytes()) == (2, before)
    assert done.stderr.startswith("error: ci/budget.toml: it is there already")


@pytest.mark.slow
def test_a_run_from_before_is_the_baseline_through_what_both_had(edgekit, conv, first):
    folder, made = first
    gates = {
        "through": f'artifact = "{conv}"\nbaseline_run = "run:{made["run"]}/1"\n'
        'common = "other/onnx-fp32"\nmax_slower = "400 %"\nmax_ms = 0.000001\nbudget_s = 1\n'
        f'[gate.through.require]\nmachine = "{_machine()}"\n',
    }
    budget(folder, **gates)
    done = edgekit("check", "budget.toml", "--json", folder=folder)
    (gate,) = json.loads(done.stdout)["gates"]
    assert {one["limit"]: one["verdict"] for one in gate["limits"]} == {
        "max_ms": "regression",
        "max_slower": "pass",
    }
    assert gate["source"] == f"run {made['run']} and run {gate['run']}, through other onnx-fp32"
    assert (done.returncode, gate["baseline"]["name"]) == (1, "conv onnx-fp32")


def _machine():
    import platform

    return platform.machine()
