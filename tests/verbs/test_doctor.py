from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit import extras
from edgekit.cli.doctor import command
from edgekit.errors import install_command
from edgekit.verbs import doctor


@pytest.fixture
def installed(monkeypatch):
    """The versions that package metadata reports; a package that is not named is absent."""
    versions = {}

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    return versions


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("version", "limits", "kept"),
    [
        ("2.21.0", ">=2.21,<2.22", True),
        ("2.21", ">=2.21.0", True),
        ("2.22.0", ">=2.21,<2.22", False),
        ("2.9", ">=2.21", False),
        ("2.4.6", "<2", False),
        ("1.26.4", "<2", True),
        ("2.14.0", "==2.14.0", True),
        ("2.14.1", "==2.14.0", False),
        ("3.15.1rc1", ">=3.15,<3.16", True),
        ("1.0", "~=0.9", True),
    ],
)
def test_a_version_keeps_its_limits_or_not(version, limits, kept):
    assert doctor.within(version, limits) is kept


def test_an_absent_package_says_what_it_enables_and_how_to_add_it(installed):
    found = {state.package.distribution: state for state in doctor.diagnose().packages}
    assert found["onnx"].to_json() == {
        "package": "onnx",
        "version": None,
        "enables": "export to ONNX",
        "add": install_command("onnx"),
    }


def test_the_legacy_runtime_is_listed_but_its_absence_is_nothing_missing(installed):
    installed.update({package.distribution: "1" for package in extras.PACKAGES[:-1]})
    diagnosis = doctor.diagnose()
    assert diagnosis.packages[-1].package.distribution == "tflite-runtime"
    assert diagnosis.missing == ()


def test_a_package_under_another_name_counts_as_installed(installed, monkeypatch):
    installed["tensorflow-cpu"] = "2.21.0"
    monkeypatch.setattr(doctor, "find_spec", lambda module: module == "tensorflow" or None)
    monkeypatch.setattr(
        doctor.metadata, "packages_distributions", lambda: {"tensorflow": ["tensorflow-cpu"]}
    )
    found = {state.package.distribution: state.version for state in doctor.diagnose().packages}
    assert found["tensorflow"] == "2.21.0 (tensorflow-cpu)"


def test_a_version_that_edgekit_rules_out_is_a_problem_with_its_remedy(installed):
    installed.update({"keras": "2.15.0", "numpy": "2.4.6"})
    problems = [text for text in doctor.diagnose().problems if text.startswith("keras")]
    assert len(problems) == 1
    assert problems[0].startswith("keras 2.15.0 is installed, edgekit needs ")
    assert "pip install 'keras" in problems[0]


@pytest.mark.parametrize(("numpy", "broken"), [("2.4.6", True), ("1.26.4", False)])
def test_tflite_runtime_beside_numpy_2_is_known_to_crash(installed, numpy, broken):
    installed.update({"tflite-runtime": "2.14.0", "numpy": numpy})
    told = any("tflite-runtime crashes with numpy 2" in text for text in doctor.diagnose().problems)
    assert told is broken


def test_a_variable_that_brings_back_keras_2_is_a_problem(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    assert any(text.startswith("TF_USE_LEGACY_KERAS") for text in doctor.diagnose().problems)


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_a_problem(monkeypatch, tmp_path):
    tmp_path.chmod(0o555)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    assert any("cannot be written" in text for text in doctor.diagnose().problems)


def test_a_cache_below_a_file_is_a_problem(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "file" / "cache"))
    assert any("cannot be written" in text for text in doctor.diagnose().problems)


def test_a_nearly_full_disk_is_a_problem(monkeypatch):
    usage = doctor.shutil.disk_usage(".")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=5_000_000))
    assert any("has only 5 MB left" in text for text in doctor.diagnose().problems)


def test_the_doctor_imports_no_package_it_looks_for():
    code = "from edgekit.verbs.doctor import diagnose; diagnose(); import sys; print(*sys.modules)"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {package.module for package in extras.PACKAGES} & set(done.stdout.split())


def test_strict_exits_with_one_when_something_is_missing(installed):
    runner = CliRunner()
    assert runner.invoke(command, []).exit_code == 0
    assert runner.invoke(command, ["--strict"]).exit_code == 1


def test_json_is_one_document_with_everything(tmp_path):
    document = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert set(document) == {"edgekit", "machine", "packages", "folders", "problems", "complete"}
    places = {folder["what"]: Path(folder["path"]) for folder in document["folders"]}
    assert places["artifacts"] == tmp_path / "build"


def test_every_extra_that_an_error_can_name_exists():
    provided = set(metadata.metadata("edgekit").get_all("Provides-Extra"))
    assert {package.extra for package in extras.PACKAGES} <= provided
