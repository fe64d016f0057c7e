"""What a rewrite is worth in a TFLite file, and how an export and an explanation speak of it."""

from __future__ import annotations

import json
import shutil

import pytest

from edgekit.artifact import Artifact
from edgekit.exporters.tflite_file import inspect
from edgekit.job import Job, Timing
from edgekit.transports.local import LocalTransport

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LABEL = "tflite-int8"


@pytest.fixture(scope="module")
def stock(swished):
    return Artifact.open(swished / "build" / "swished" / LABEL)


@pytest.fixture(scope="module")
def fixed(swished, tmp_path_factory):
    """The same artifact after `explain --fix`, and what that printed."""
    from subprocess import run
    from sys import executable

    work = tmp_path_factory.mktemp("fixed")
    shutil.copytree(swished, work, dirs_exist_ok=True)
    place = work / "build" / "swished" / LABEL
    command = [executable, "-m", "edgekit", "explain", place, "--fix", "--json", "--quiet"]
    command += ["--model", work / "swished.keras", "--data", work / "noise.npz"]
    done = run(map(str, command), capture_output=True, text=True, check=False, cwd=work)
    assert done.returncode == 0, done.stderr
    return Artifact.open(place), json.loads(done.stdout)


def placement(artifact):
    job = Job(
        "measure", "litert", str(artifact.model_path), timing=Timing(1, seconds=0.0, min_calls=1)
    )
    return LocalTransport().run(job).placement


def test_the_stock_file_is_cut_by_its_hard_swish_and_the_rewritten_one_is_not(stock, fixed):
    assert inspect(stock.model_path).ops["HARD_SWISH"] == 4
    before = placement(stock)
    assert before.partitions > 4
    assert before.left_out["HARD_SWISH"] == 4
    after = placement(fixed[0])
    assert "HARD_SWISH" not in inspect(fixed[0].model_path).ops
    assert after.partitions == 1
    assert "HARD_SWISH" not in after.left_out


def test_rewriting_is_a_link_of_the_chain(stock, fixed):
    assert stock.manifest.chain == ("keras", "conditioned", LABEL)
    assert fixed[0].manifest.chain == ("keras", "rewritten", "conditioned", LABEL)


def test_what_the_fix_gave_is_said(fixed):
    _, said = fixed
    (rewrite,) = said["rewrites"]
    assert (rewrite["name"], rewrite["places"], rewrite["problem"]) == ("hard-swish", 6, "")
    assert rewrite["exact_db"] is None or rewrite["exact_db"] > 100
    assert said["before"]["sha256"] != said["after"]["sha256"]
    assert said["after"]["metric"]["drop"] is not None
    assert said["timing"]["against"] == LABEL
    low, high = said["timing"]["ci95"]
    assert 0 < low <= said["timing"]["ratio"] <= high


def test_a_second_fix_finds_nothing_to_do(fixed, run):
    artifact, _ = fixed
    done = run("explain", artifact.path, "--fix", "--quiet")
    assert "the rewrites are in it already" in done.stdout


def test_an_export_times_int8_against_fp32(swished):
    said = json.loads((swished / "export.json").read_text())
    (timing,) = said["timing"]
    assert (timing["artifact"], timing["against"]) == (LABEL, "tflite-fp32")
    assert timing["placement"]["left_out"]["HARD_SWISH"] == 4
    assert said["rewrites"] == []
    (finding,) = (entry for entry in said["findings"] if entry["rule"] == "hard-swish")
    assert finding["fix"] == "hard-swish"


def test_timing_is_in_no_artifact(stock, swished):
    float_one = Artifact.open(swished / "build" / "swished" / "tflite-fp32")
    for artifact in (stock, float_one):
        document = json.loads((artifact.path / "manifest.json").read_text())
        assert not {"timing", "placement", "rewrites"} & document.keys()


def test_an_export_that_finds_all_made_times_nothing(swished, run, tmp_path):
    shutil.copytree(swished, tmp_path, dirs_exist_ok=True)
    done = run(
        *("export", "swished.keras", "--int8", "--target", "tflite", "--no-fix", "--json"),
        *("--data", "noise.npz", "--max-drop", "100", "--input-range=-1,1"),
        cwd=tmp_path,
    )
    said = json.loads(done.stdout)
    assert said["cached"]
    assert said["timing"] == []


def test_a_dry_run_shows_the_rewriting_and_no_fix_leaves_it_out(swished, run):
    arguments = ("export", "swished.keras", "--int8", "--data", "noise.npz", "--dry-run", "--json")
    for options, links in (((), ["rewritten", "conditioned"]), (("--no-fix",), ["conditioned"])):
        plan = json.loads(run(*arguments, *options, cwd=swished).stdout)["plan"]
        (step,) = (entry for entry in plan if entry["step"] == LABEL)
        assert step["chain"] == ["keras", *links, LABEL]
        (float_step,) = (entry for entry in plan if entry["step"] == "tflite-fp32")
        assert float_step["chain"] == ["keras", "tflite-fp32"]


def test_of_a_model_the_rewrites_are_said_with_their_proof(swished, run):
    done = run("explain", "swished.keras", "--fix", "--quiet", cwd=swished)
    assert "rewritten: hard-swish: 6 places, exact " in done.stdout
    assert "edgekit export does it for int8" in done.stdout


def test_that_nothing_was_rewritten_is_said_where_it_was_asked_for(capsys):
    from edgekit.cli.explain import _print
    from edgekit.quantization.explain.explanation import Explanation

    nothing = Explanation(None, "plain", 0, "noise", ())
    _print(nothing, 5, fixed=True)
    assert "rewritten: nothing; no rewrite applies to this graph" in capsys.readouterr().out
    _print(nothing, 5, fixed=False)
    assert "rewritten" not in capsys.readouterr().out


def test_a_float_artifact_cannot_be_fixed(swished, run):
    place = swished / "build" / "swished" / "tflite-fp32"
    done = run("explain", place, "--fix", status=2)
    assert "nothing is rewritten for tflite in fp32" in done.stderr
