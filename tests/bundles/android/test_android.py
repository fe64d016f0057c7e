"""Android bundles hold what an app needs and no more; what the Kotlin does not read is refused."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.making import make_bundle
from edgekit.bundles.platforms.android import AndroidPlatform
from edgekit.errors import UsageError

SOURCES = "library/src/main/kotlin/edgekit/known_glyphs"


def placed(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_is_a_gradle_project_of_its_own_name(android_once):
    names = placed(android_once)
    assert {
        "settings.gradle.kts", "build.gradle.kts", "gradle.properties", "library/build.gradle.kts",
        "library/src/main/AndroidManifest.xml", f"{SOURCES}/Model.kt", f"{SOURCES}/Runtimes.kt",
        "library/src/test/kotlin/edgekit/known_glyphs/GoldenTest.kt",
        "library/src/androidTest/kotlin/edgekit/known_glyphs/ModelTest.kt",
        "sample/src/main/kotlin/edgekit/known_glyphs/sample/MainActivity.kt",
    } <= names  # fmt: skip
    assert not [name for name in names if "bundle_name" in name]
    left = re.compile(r"bundle_name|BUNDLE_TITLE|BUNDLE_VERSION|RUNTIME_DEPENDENCIES")
    for name in names:
        if name.endswith((".kt", ".kts", ".xml", ".md", ".properties")):
            assert not left.search((android_once / name).read_text("utf-8")), name


@pytest.mark.parametrize("runtime", [("tflite-int8", "LiteRt.kt"), ("onnx-int8", "Ort.kt")])
def test_only_the_runtime_that_an_artifact_needs_is_asked_for(
    android_artifacts, android_order, tmp_path, runtime
):
    label, file = runtime
    (artifact,) = [one for one in android_artifacts if one.label == label]
    make_bundle([artifact], replace(android_order, choice={}), tmp_path / "one")
    files = {path.name for path in (tmp_path / "one" / SOURCES).iterdir()}
    assert files & {"LiteRt.kt", "Ort.kt"} == {file}
    gradle = (tmp_path / "one/library/build.gradle.kts").read_text("utf-8")
    (dependency,) = re.findall(r'\n    implementation\("([^"]*)"\)', gradle)
    assert ("litert" in dependency) == (label == "tflite-int8")


def test_the_sample_s_texts_are_those_that_it_asks_for(android_once):
    code = (
        android_once / "sample/src/main/kotlin/edgekit/known_glyphs/sample/MainActivity.kt"
    ).read_text("utf-8")
    strings = ET.parse(android_once / "sample/src/main/res/values/strings.xml").getroot()
    assert set(re.findall(r"R\.string\.(\w+)", code)) == {one.get("name") for one in strings}
    for manifest in android_once.rglob("AndroidManifest.xml"):
        assert ET.parse(manifest).getroot().tag == "manifest"


def test_the_same_artifacts_give_the_same_bytes(
    android_once, android_artifacts, android_order, tmp_path
):
    make_bundle(android_artifacts, android_order, tmp_path / "again")
    for name in placed(tmp_path / "again"):
        assert (tmp_path / "again" / name).read_bytes() == (android_once / name).read_bytes(), name


@pytest.mark.parametrize("name", ["object", "when", "static"])
def test_a_word_of_the_languages_names_no_package(android_artifacts, android_order, tmp_path, name):
    with pytest.raises(UsageError, match=f"^{name} is a word of Kotlin or Java"):
        make_bundle(android_artifacts, replace(android_order, name=name), tmp_path / "out")


def test_what_runs_on_no_phone_is_refused(request, android_order, tmp_path):
    openvino = Artifact.open(request.config.rootpath / "devices/known/openvino-int8")
    with pytest.raises(UsageError, match="openvino files don't run on android"):
        make_bundle([openvino], replace(android_order, choice={}), tmp_path / "out")


def test_numbers_that_kotlin_does_not_read_are_refused(android_once, tmp_path):
    tensor = {"name": "x", "dtype": "float16"}
    contract = {"inputs": [], "artifacts": {"a": {"inputs": [tensor], "outputs": []}}}
    with pytest.raises(UsageError, match=r"^x: Kotlin reads uint8, .*, not float16"):
        AndroidPlatform().write(tmp_path, None, contract)
