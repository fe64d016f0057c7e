"""Contenders: what a person names, with which settings, under which names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.device import DeviceProfile
from edgekit.errors import ArtifactError, DeviceError, UsageError
from edgekit.measuring.contenders import Asked, distinct, expand, gather, job_of, parse
from edgekit.run import Contender
from edgekit.transports.connect import find_profile

BOARD = DeviceProfile(name="board", summary="", transport="local")


@pytest.fixture
def artifacts(make_artifact):
    return [make_artifact(target).path for target in ("tflite", "onnx", "openvino")]


def named(asked, **options):
    return [contender.name for contender, _ in gather(asked, BOARD, **options)]


def test_settings_stand_behind_the_path():
    assert parse("build/m/tflite-int8@threads=2,runtime=litert,delegate=none") == Asked(
        Path("build/m/tflite-int8"), runtime="litert", threads=2, delegate="none"
    )
    assert parse("build/m") == Asked(Path("build/m"))


def test_a_folder_whose_name_holds_an_at_sign_is_itself(tmp_path):
    place = tmp_path / "a@threads=2"
    place.mkdir()
    assert parse(str(place)) == Asked(place)
    assert parse("mail@host") == Asked(Path("mail@host"))


@pytest.mark.parametrize(
    "settings", ["thread=2", "threads=0", "threads=x", "threads=", "a=b,c", "threads=1,threads=2"]
)
def test_a_setting_that_is_none_is_refused(settings):
    with pytest.raises(UsageError, match="m@"):
        parse(f"m@{settings}")


@given(threads=st.integers(1, 9999), runtime=st.sampled_from(["litert", "onnxruntime"]))
def test_settings_are_read_back_in_any_order(threads, runtime):
    one = parse(f"x@threads={threads},runtime={runtime}")
    other = parse(f"x@runtime={runtime},threads={threads}")
    assert one == other == Asked(Path("x"), runtime=runtime, threads=threads)


def test_a_folder_stands_for_the_artifacts_in_it(artifacts, tmp_path):
    model = tmp_path / "build" / "tiny"
    everything = sorted(artifacts)
    assert expand([model]) == everything
    assert expand([tmp_path / "build"]) == everything
    assert expand([artifacts[0], model])[0] == artifacts[0]
    assert sorted(expand([artifacts[0], model])) == everything


def test_a_path_without_artifacts_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="no such artifact"):
        expand([tmp_path / "none"])
    with pytest.raises(ArtifactError, match="holds no artifact"):
        expand([tmp_path])
    with pytest.raises(UsageError, match="no artifact was named"):
        expand([])


def test_what_is_named_twice_takes_part_once(artifacts):
    assert named([Asked(artifacts[0]), Asked(artifacts[0].parent)]) == [
        "tiny tflite-fp32", "tiny onnx-fp32", "tiny openvino-fp32",
    ]  # fmt: skip


def test_a_sweep_makes_a_contender_for_each_count_of_threads(artifacts):
    assert named([Asked(artifacts[0])], threads=[1, 2, 4]) == [
        "tiny tflite-fp32 1 thread", "tiny tflite-fp32 2 threads", "tiny tflite-fp32 4 threads",
    ]  # fmt: skip


def test_settings_of_its_own_come_before_those_for_all(artifacts):
    (own, _), (common, _) = gather(
        [Asked(artifacts[0], threads=3), Asked(artifacts[1])], BOARD, threads=[2]
    )
    assert (own.threads, common.threads) == (3, 2)


def test_only_what_tells_contenders_apart_is_in_their_names(artifacts):
    ((one, _),) = gather([Asked(artifacts[0])], BOARD)
    other = replace(one, delegate="none")
    moved = replace(one, path="elsewhere")
    assert [c.name for c in distinct([one, other])] == [
        "tiny tflite-fp32 delegate as usual", "tiny tflite-fp32 delegate none",
    ]  # fmt: skip
    assert [c.name for c in distinct([one, moved])] == [
        f"tiny tflite-fp32 {one.path}", "tiny tflite-fp32 elsewhere",
    ]  # fmt: skip
    assert [c.name for c in distinct([one, one])] == ["tiny tflite-fp32", "tiny tflite-fp32 #2"]


def test_a_runtime_that_cannot_run_the_target_is_refused(artifacts):
    with pytest.raises(DeviceError, match="openvino cannot run tflite artifacts"):
        gather([Asked(artifacts[0])], BOARD, runtime="openvino")


def test_a_damaged_artifact_is_refused(artifacts):
    (artifacts[1] / "model.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"model\.onnx: sha256 differs"):
        gather([Asked(path) for path in artifacts], BOARD)


def test_the_input_is_the_last_golden_sample_as_the_file_takes_it(make_artifact, tmp_path):
    artifact = make_artifact(precision="int8")
    golden = np.load(artifact.path / "golden" / "inputs.npy")[-1:]
    ((contender, _),) = gather([Asked(artifact.path)], BOARD)
    fed = np.load(job_of(contender, artifact, tmp_path / "sample").inputs)
    scale = artifact.manifest.inputs[0].scale
    assert (fed.dtype, fed.shape) == (np.int8, (1, 8, 8, 3))
    assert np.abs((fed.astype(np.float32) + 128) * scale - golden).max() <= scale


@pytest.mark.parametrize("count", [0, -1, 1025, 10**9])
def test_threads_that_no_run_could_hold_are_refused_before_it(make_artifact, count):
    with pytest.raises(UsageError, match="is not a number in 1…1024"):
        gather([Asked(make_artifact().path)], find_profile("local-cpu"), threads=[count])


def test_options_are_those_of_the_profiles_delegate_and_of_no_other(artifacts, tmp_path):
    options = {"enforce_f32": True}
    board = replace(BOARD, prefer=("litert",), delegate="gpu", delegate_options=options)
    ((mine, artifact),) = gather([Asked(artifacts[0])], board)
    assert job_of(mine, artifact, tmp_path / "mine").options == options
    assert Contender.from_json(mine.to_json()) == mine
    ((other, artifact),) = gather([Asked(artifacts[0], delegate="none")], board)
    assert job_of(other, artifact, tmp_path / "other").options == {}
    assert "options" not in other.to_json()
