"""Bundles are made whole, of what goes together, and alike from the same artifacts."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.checking import verify
from edgekit.bundles.contents import CONTENTS
from edgekit.bundles.contract import Showing, contract_of
from edgekit.bundles.making import Order, make_bundle
from edgekit.cli import main
from edgekit.errors import ArtifactError, UsageError

ORDER = Order("known", "1.0.0", "python", licence="Apache-2.0")


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_artifacts_make_the_same_bytes(artifacts, tmp_path):
    for name in ("one", "two"):
        make_bundle(artifacts, ORDER, tmp_path / name)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    for name in ("one", "two"):
        make_bundle(artifacts, ORDER, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_bundle_names_no_place_of_the_machine_that_made_it(artifacts, tmp_path):
    make_bundle(artifacts, ORDER, tmp_path / "bundle")
    for name, content in bytes_of(tmp_path / "bundle").items():
        assert str(tmp_path).encode() not in content, name


def test_an_artifact_whose_gate_failed_is_refused(artifacts, tmp_path):
    failed = replace(artifacts[0].manifest, gate={"max_drop": 2.0, "met": False})
    with pytest.raises(ArtifactError, match=r"does not keep its limit max_drop = 2\.0"):
        make_bundle([Artifact(artifacts[0].path, failed)], ORDER, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_an_artifact_whose_digest_differs_is_refused(make_artifact, capsys, tmp_path):
    artifact = make_artifact()
    with artifact.model_path.open("ab") as stream:
        stream.write(b"x")
    words = ["bundle", str(artifact.path), "--platform", "python", "-o", str(tmp_path / "b")]
    assert main(words) == 1
    assert "sha256 differs from the manifest's" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_artifacts_with_different_preprocessing_don_t_go_together(artifacts, tmp_path):
    other = artifacts[1]
    spec = replace(other.manifest.preprocessing[0], resize="letterbox")
    changed = Artifact(other.path, replace(other.manifest, preprocessing=(spec,)))
    with pytest.raises(UsageError, match="takes or gives something else"):
        make_bundle([artifacts[0], changed], ORDER, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["", "Known", "a b", "../x", "a" * 65, "1st", "a--b"])
def test_a_name_that_no_package_manager_takes_is_refused(artifacts, tmp_path, name):
    with pytest.raises(ArtifactError, match="is no name for a bundle"):
        make_bundle(artifacts, replace(ORDER, name=name), tmp_path / "bundle")


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "1.0.0-beta", "1.0.0\n"])
def test_a_version_of_another_form_is_refused(artifacts, tmp_path, version):
    with pytest.raises(ArtifactError, match="is no version"):
        make_bundle(artifacts, replace(ORDER, version=version), tmp_path / "bundle")


def test_a_folder_that_holds_something_else_is_left_alone(artifacts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="holds something else than a bundle"):
        make_bundle(artifacts, ORDER, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_an_earlier_bundle_is_replaced_whole(artifacts, tmp_path):
    make_bundle(artifacts, ORDER, tmp_path / "b")
    make_bundle(artifacts[:1], replace(ORDER, version="2.0.0"), tmp_path / "b")
    found = verify(tmp_path / "b").contents
    assert (found.version, [one.label for one in found.artifacts]) == ("2.0.0", ["tflite-int8"])


def test_a_file_that_is_no_bundle_is_left_alone(artifacts, tmp_path):
    (tmp_path / "notes.zip").write_text("not a zip")
    with pytest.raises(UsageError, match="a file, and no bundle"):
        make_bundle(artifacts, ORDER, tmp_path / "notes.zip")
    assert (tmp_path / "notes.zip").read_text() == "not a zip"


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_an_unsigned_bundle_does_not_replace_a_signed_one(artifacts, keys, tmp_path, name):
    make_bundle(artifacts[:1], ORDER, tmp_path / name, key=keys / "mine.pem")
    with pytest.raises(UsageError, match="an unsigned one would replace"):
        make_bundle(artifacts[:1], ORDER, tmp_path / name)
    assert verify(tmp_path / name, key=keys / "mine.pub").signed is not None


@pytest.mark.parametrize("name", ["import", "numpy", "json", "onnxruntime"])
def test_a_name_that_python_has_already_is_refused(artifacts, tmp_path, name):
    with pytest.raises(UsageError, match="Python has"):
        make_bundle(artifacts, replace(ORDER, name=name), tmp_path / "bundle")


def test_a_licence_that_is_no_spdx_expression_is_refused(artifacts, tmp_path):
    with pytest.raises(UsageError, match="no SPDX identifier"):
        make_bundle(artifacts, replace(ORDER, licence="Foo bar"), tmp_path / "bundle")


def test_keys_are_refused_with_what_is_wrong_with_them(artifacts, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    def write(name, key, encryption):
        content = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    curve = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    locked = write("locked.pem", curve, serialization.BestAvailableEncryption(b"secret"))
    opened = write("open.pem", curve, plain)
    other = write("rsa.pem", rsa.generate_private_key(65537, 2048), plain)
    out = tmp_path / "out"
    for key, password, said in (
        (locked, None, "the key needs a password"),
        (locked, "wrong", "the password is wrong"),
        (opened, "secret", "the key has no password"),
        (other, None, "no elliptic-curve key"),
    ):
        with pytest.raises(UsageError, match=said):
            make_bundle(artifacts[:1], ORDER, out, key=key, password=password)
        assert not out.exists()
    assert make_bundle(artifacts[:1], ORDER, out, key=locked, password="secret").has_signature


def test_golden_cases_cover_extremes_and_pictures_of_other_sizes(signed_once, artifacts):
    cases = json.loads((signed_once / "golden" / "cases.json").read_text())
    assert len(cases["cases"]) >= 8
    lowest, highest = (
        np.frombuffer((signed_once / case["inputs"]["image"]["file"]).read_bytes(), np.uint8)
        for case in cases["cases"][:2]
    )
    assert (lowest.max(), highest.min()) == (0, 255)
    assert {case["picture"].rpartition("/")[2] for case in cases["pictures"]} >= {
        "portrait.png", "landscape.png", "dot.png",
    }  # fmt: skip
    assert set(cases["cases"][0]["outputs"]) == {one.label for one in artifacts}


def test_the_bill_of_materials_names_models_digests_licence_and_tools(signed_once, artifacts):
    bill = json.loads((signed_once / "bom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    models = [one for one in bill["components"] if one["type"] == "machine-learning-model"]
    assert {one["hashes"][0]["content"] for one in models} == {one.sha256 for one in artifacts}
    assert {one["licenses"][0]["license"]["id"] for one in models} == {"Apache-2.0"}
    assert "numpy" in {one["name"] for one in bill["components"] if one["type"] == "library"}
    assert "timestamp" not in bill["metadata"]


def test_one_command_makes_and_another_verifies_it(checkout, keys, tmp_path, capsys):
    known = str(checkout / "devices" / "known" / "tflite-int8")
    out = str(tmp_path / "out")
    words = ["bundle", known, "--platform", "python", "-o", out, "--for", "phone=tflite-int8"]
    assert main([*words, "--sign", str(keys / "mine.pem"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["choice"]) == ("known", {"phone": "tflite-int8"})
    assert main(["verify", out, "--key", str(keys / "mine.pub"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signed_by"] is not None
    assert (tmp_path / "out" / CONTENTS).is_file()


def test_figures_of_a_device_go_inside_and_choose_its_fastest_artifact(
    checkout, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))
    known = [str(checkout / "devices" / "known" / label) for label in ("tflite-int8", "onnx-int8")]
    out = str(tmp_path / "out")
    words = ["bundle", *known, "--platform", "python", "-o", out, "--measured", "local-cpu"]
    assert main(words) == 2
    assert "no run there had all artifacts" in capsys.readouterr().err
    measure = ["--rounds", "2", "--seconds", "0.02", "--passes", "none", "-q"]
    assert main(["profile", *known, *measure]) == 0
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    report = json.loads((tmp_path / "out" / "reports" / "local-cpu.json").read_text())
    rows = {one["label"]: one for one in report["artifacts"]}
    assert set(rows) == {"tflite-int8", "onnx-int8"}
    assert all(one["median_ms"] > 0 and one["processes"] == 2 for one in rows.values())
    assert made["choice"] == {"local-cpu": min(rows, key=lambda label: rows[label]["median_ms"])}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--platform", "pyton"], "did you mean python"),
        (["--platform", "python", "--for", "phone"], "expected DEVICE=ARTIFACT"),
        (["--platform", "python", "--for", "phone=onnx-int8"], "no such artifact in this bundle"),
        (["--platform", "python", "--sign", "missing.pem"], "missing.pem"),
    ],
)
def test_what_was_mistyped_is_one_error_line(checkout, tmp_path, capsys, words, said):
    known = str(checkout / "devices" / "known" / "tflite-int8")
    assert main(["bundle", known, "-o", str(tmp_path / "out"), *words]) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("error:") == 1
    assert not (tmp_path / "out").exists()


def test_which_objects_an_app_shows_is_part_of_the_contract(artifacts):
    manifest = artifacts[0].manifest
    outputs = [replace(manifest.outputs[0], name=name) for name in ("boxes", "scores")]
    detector = replace(artifacts[0], manifest=replace(manifest, outputs=tuple(outputs)))
    for showing in (Showing(), Showing(threshold=0.5, overlap=0.3)):
        answer = contract_of([detector], showing)["answer"]
        assert answer["kind"] == "objects"
        assert (answer["threshold"], answer["overlap"]) == (showing.threshold, showing.overlap)


def test_a_class_for_each_step_is_given_to_the_app_as_it_is(artifacts):
    manifest, classes = artifacts[0].manifest, len(artifacts[0].labels)
    for shape, kind in (((1, classes), "classes"), ((1, 128, classes), "tensors")):
        outputs = (replace(manifest.outputs[0], shape=shape),)
        one = replace(artifacts[0], manifest=replace(manifest, outputs=outputs))
        assert contract_of([one])["answer"]["kind"] == kind


def test_a_threshold_is_for_detectors(artifacts, tmp_path, capsys):
    asked = ["bundle", str(artifacts[0].path), "--platform", "python", "-o", str(tmp_path / "out")]
    assert main([*asked, "--threshold", "0.5"]) == 2
    assert "error: --threshold is for detectors" in capsys.readouterr().err
    for wrong in ("1.5", "nan"):
        assert main([*asked, "--overlap", wrong]) == 2
    assert not (tmp_path / "out").exists()


def test_a_device_or_pipe_is_not_replaced_by_a_bundle(artifacts, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="pipe: a file, and no bundle"):
        make_bundle(artifacts, ORDER, pipe)
    assert pipe.is_fifo()


def test_what_somebody_put_into_a_folder_is_not_replaced(artifacts, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / CONTENTS).write_text('{"my": "frontend"}')
    (own / "thesis.txt").write_text("thesis")
    made = tmp_path / "made"
    make_bundle(artifacts, ORDER, made)
    make_bundle(artifacts, ORDER, made)  # as it was made, it is
    (made / "local.properties").write_text("mine")
    for folder in (own, made):
        before = bytes_of(folder)
        with pytest.raises(UsageError, match="no bundle as it was made, so it is not replaced"):
            make_bundle(artifacts, ORDER, folder)
        assert bytes_of(folder) == before
