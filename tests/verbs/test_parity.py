"""Artifacts in several runtimes against reference kernels: the real ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.agreeing import Ran, agree, gather_samples, run_raw, run_reference
from edgekit.artifact import Artifact
from edgekit.cli import main
from edgekit.errors import ArtifactError, DeviceError, UsageError
from edgekit.measuring.contenders import Asked, gather
from edgekit.spec import InputSpec
from edgekit.transports.connect import find_profile
from edgekit.transports.local import LocalTransport
from edgekit.verbs.parity import compare_with_reference
from tests.make_integer_files import REAL, holding, with_float_output

pytest.importorskip("tflite_micro", reason="pip install -e '.[microcontroller]'")

SPEC = InputSpec(name="image", dtype="float32", shape=(8, 8, 3), range=(0.0, 1.0))


class Shifting(LocalTransport):
    """A device whose runtime gives every value a step too many in the samples it is told."""

    def __init__(self, by, samples):
        super().__init__()
        self.by, self.samples = by, samples

    def _run(self, job, timeout_s):
        result = super()._run(job, timeout_s)
        if job.outputs is None:
            return result
        given = np.load(job.outputs)
        given[self.samples] = given[self.samples] + np.array(self.by, given.dtype)
        np.save(job.outputs, given)
        return result


@pytest.fixture
def compared(make_artifact, tmp_path):
    """Run an int8 artifact on a transport, and compare."""

    artifact = make_artifact(precision="int8")

    def run(transport):
        asked = Asked(artifact.path, delegate="reference")
        ((contender, _),) = gather([asked], find_profile("local-cpu"))
        samples = gather_samples(artifact, ("golden", "adversarial"), tmp_path)
        reference = run_reference(contender, artifact, samples)
        return agree(run_raw(transport, contender, artifact, samples), reference, artifact, samples)

    return run


def test_a_table_shows_every_device_beside_the_reference(make_artifact, capsys):
    folder = str(make_artifact(precision="int8").path)
    words = ["parity", folder, f"{folder}@delegate=reference", "-q"]
    assert main([*words, "--device", "local-cpu", "--device", "microcontroller"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("tiny tflite-int8")]
    assert len(rows) == 4
    micro = [row for row in rows if "microcontroller" in row]
    assert all("bit-exact" in row and "micro kernels 3" in row for row in micro)
    (plain,) = [row for row in rows if "delegate reference" in row and "local-cpu" in row]
    assert "bit-exact" in plain
    assert "reference kernels 3" in plain
    assert [line for line in lines if line.startswith("arena of tiny tflite-int8")]
    assert [line for line in lines if "14 samples" in line]


def test_json_holds_the_class_and_where_ops_ran(make_artifact, capsys):
    folder = str(make_artifact(precision="int8").path)
    assert main(["parity", folder, "--device", "microcontroller", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["kind"], row["differing"], row["max_steps"]) == ("bit-exact", 0, 0)
    assert row["outputs"]["Identity"]["kind"] == "bit-exact"
    assert row["placement"]["executors"] == {"micro kernels": 3}
    assert row["facts"]["arena_smallest_bytes"] > 1000


@pytest.mark.parametrize("target", ["tflite", "onnx", "openvino"])
def test_float_files_of_every_target_are_near_their_reference(make_artifact, target):
    result = compare_with_reference([Asked(make_artifact(target).path)])
    (row,) = result.rows
    assert not result.failures
    assert row.agreed.whole.max_abs < 1e-4
    assert row.agreed.whole.max_steps is None
    assert row.contender.runtime in next(iter(result.references.values()))


def test_a_step_and_more_steps_are_told_apart_with_the_sample(compared):
    none, one, five = (compared(Shifting(by, [2])) for by in (0, 1, -5))
    assert (none.whole.kind, none.worst) == ("bit-exact", None)
    assert (one.whole.kind, one.worst, one.whole.differing) == ("±1 step", "golden 2", 4)
    assert (five.whole.kind, five.whole.max_steps) == ("different", 5)
    assert len({none.digest, one.digest, five.digest}) == 3


def test_floats_that_were_integers_are_compared_in_steps(make_artifact, tiny_models, tmp_path):
    content = with_float_output((tiny_models / "int8.tflite").read_bytes())
    artifact = holding(make_artifact(precision="int8"), content, outputs=(REAL,))
    ((contender, _),) = gather([Asked(artifact.path)], find_profile("local-cpu"))
    samples = gather_samples(artifact, ("golden",), tmp_path)
    reference = run_reference(contender, artifact, samples)
    (given,) = reference.outputs
    step = 0.0008651085663586855
    moved = Ran((given + np.float32(3 * step),), None, {})
    found = agree(moved, reference, artifact, samples).whole
    assert (found.kind, found.max_steps) == ("different", 3)


def test_golden_and_adversarial_samples_are_named(make_artifact, tmp_path):
    artifact = make_artifact()
    samples = gather_samples(artifact, ("golden", "adversarial"), tmp_path)
    assert samples.names[:2] == ("golden 0", "golden 1")
    assert samples.names[-2:] == ("beyond", "denormal")
    assert len(np.load(samples.place)) == len(samples.names)


def test_a_file_of_floats_gets_more_than_the_pixels_it_was_made_for(make_artifact, tmp_path):
    pixels = InputSpec(name="image", dtype="uint8", shape=(8, 8, 3), range=(0.0, 255.0))
    artifact = make_artifact(preprocessing=(pixels,))
    samples = gather_samples(artifact, ("adversarial",), tmp_path)
    taken = dict(zip(samples.names, np.load(samples.place), strict=True))
    assert taken["beyond"].dtype == np.float32
    assert (taken["beyond"].min(), taken["beyond"].max()) == (-382.5, 637.5)
    assert 0 < np.abs(taken["denormal"]).max() < 1e-38


def test_a_manifest_that_describes_other_inputs_is_refused(make_artifact, tmp_path):
    artifact = make_artifact(preprocessing=(SPEC, SPEC))
    with pytest.raises(ArtifactError, match="describes 2 inputs, the file has 1"):
        gather_samples(artifact, ("adversarial",), tmp_path)


def test_an_artifact_without_golden_samples_has_adversarial_ones(make_artifact, tmp_path):
    artifact = make_artifact()
    bare = Artifact(tmp_path / "elsewhere", artifact.manifest)
    with pytest.raises(ArtifactError, match="no golden samples"):
        gather_samples(bare, ("golden",), tmp_path)
    assert len(gather_samples(bare, ("adversarial",), tmp_path).names) == 8


def test_a_device_that_gives_another_number_of_outputs_is_refused(compared):
    class Short(LocalTransport):
        def _run(self, job, timeout_s):
            result = super()._run(job, timeout_s)
            np.save(job.outputs, np.load(job.outputs)[:-1])
            return result

    with pytest.raises(DeviceError, match="gave outputs of shapes"):
        compared(Short())


def test_what_cannot_run_there_is_one_error_and_the_others_are_shown(make_artifact, capsys):
    make_artifact("onnx")
    folder = make_artifact(precision="int8").path.parent
    assert main(["parity", str(folder), "--device", "microcontroller", "-q"]) == 1
    printed = capsys.readouterr()
    assert "bit-exact" in printed.out
    assert "onnxruntime does not run on microcontrollers" in printed.err


def test_a_device_that_is_not_there_hides_no_other(make_artifact, tmp_path, capsys):
    (tmp_path / "absent.toml").write_text('transport = "local"\npython = "/no/such/python"\n')
    folder = str(make_artifact(precision="int8").path)
    words = ["--device", str(tmp_path / "absent.toml"), "--device", "microcontroller", "-q"]
    assert main(["parity", folder, *words]) == 1
    printed = capsys.readouterr()
    assert "bit-exact" in printed.out
    assert "/no/such/python" in printed.err


def test_unknown_inputs_are_refused(make_artifact):
    with pytest.raises(UsageError, match="--inputs golden,silver"):
        compare_with_reference([Asked(make_artifact().path)], inputs=["golden", "silver"])


def test_a_limit_that_is_kept_passes_and_one_that_is_broken_fails_with_its_row(
    make_artifact, capsys, monkeypatch
):
    folder = str(make_artifact(precision="int8").path)
    words = ["parity", f"{folder}@delegate=reference", "--inputs", "golden", "-q"]
    assert main([*words, "--json", "--require", "bit-exact"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["verdict"], row["broken"]) == ("pass", [])
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["verdict"] is None
    monkeypatch.setattr(LocalTransport, "from_profile", lambda _profile: Shifting(3, [2]))
    for option, wanted in (
        (("--require", "bit-exact"), "3 steps apart; bit-exact is required"),
        (("--require", "one-step"), "3 steps, over 1"),
        (("--max-steps", "2"), "3 steps, over 2"),
        (("--max-steps", "3"), None),
        (("--max-abs", "2.5"), "3, over 2.5"),
        (("--max-abs", "3"), None),
    ):
        assert main([*words, "--json", *option]) == (1 if wanted else 0), option
        found, said = capsys.readouterr()
        (row,) = json.loads(found)["rows"]
        assert row["broken"] == ([wanted] if wanted else [])
        assert row["verdict"] == ("fail" if wanted else "pass")
        assert ("1 of 1 rows are farther from the reference than allowed" in said) == bool(wanted)
        assert (f"on local-cpu: {wanted}" in said) == bool(wanted)
    assert main([*words, "--max-steps", "2"]) == 1
    found, said = capsys.readouterr()
    assert any(line.startswith("tiny") and line.endswith("fail") for line in found.splitlines())
    assert "limit: --max-steps 2" in said


def test_floats_on_no_grid_are_held_to_values_and_never_passed_by_steps(
    make_artifact, capsys, monkeypatch
):
    words = ["parity", str(make_artifact("onnx").path), "--inputs", "golden", "--json", "-q"]
    monkeypatch.setattr(LocalTransport, "from_profile", lambda _profile: Shifting(0.5, [2]))
    assert main([*words, "--max-steps", "8", "--max-abs", "0.6"]) == 0
    capsys.readouterr()
    assert main([*words, "--max-steps", "8"]) == 1
    assert "on no grid of steps; no limit is given" in capsys.readouterr().err
    assert main([*words, "--max-abs", "0.4"]) == 1
    assert "0.5, over 0.4" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [("--require", "one-step", "--max-steps", "3"), ("--require", "bit-exact", "--max-abs", "1")],
)
def test_limits_that_contradict_each_other_are_refused(make_artifact, words, capsys):
    assert main(["parity", str(make_artifact().path), *words]) == 2
    assert "give one" in capsys.readouterr().err
