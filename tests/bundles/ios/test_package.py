"""A bundle for iOS is a Swift package that holds all it needs, and builds."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.checking import verify
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.platforms.ios import IosPlatform, module_name
from edgekit.cli import main
from edgekit.errors import UsageError

ORDER = Order("known-glyphs", "1.2.3", "ios", licence="Apache-2.0", card="# A card\n")


@pytest.fixture(scope="module")
def bundle(artifacts, tmp_path_factory):
    out = tmp_path_factory.mktemp("ios") / "bundle"
    make_bundle(artifacts[:1], ORDER, out)
    return out


def test_a_name_becomes_a_module_s():
    assert [module_name(name) for name in ("yolo", "yolo-640", "text-transformer", "a_b-c2")] == [
        "Yolo", "Yolo640", "TextTransformer", "ABC2",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["vision", "core-ml", "lite-rt", "model", "tensor", "swift-ui"])
def test_a_name_that_would_hide_a_module_or_type_is_refused(name):
    with pytest.raises(UsageError, match="so it names no other") as caught:
        IosPlatform().check_name(name)
    assert caught.value.hint == f"--name {name}-model"


def test_no_name_of_the_template_is_left_and_the_bundle_s_are_there(bundle):
    texts = {
        path.relative_to(bundle).as_posix(): path.read_text()
        for path in bundle.rglob("*")
        if path.suffix in (".swift", ".md")
    }
    assert not [
        name
        for name, text in texts.items()
        if re.search("BundleName|bundle-name|BUNDLE_", text + name)
    ]
    assert "Sources/KnownGlyphsCore/Model.swift" in texts
    assert "import KnownGlyphsCore" in texts["Sources/KnownGlyphs/LiteRTRuntime.swift"]
    assert 'name: "known-glyphs"' in texts["Package.swift"]


def test_the_core_needs_foundation_alone(bundle):
    imports = {
        line.strip()
        for path in (bundle / "Sources/KnownGlyphsCore").glob("*.swift")
        for line in path.read_text().splitlines()
        if line.strip().startswith("import ")
    }
    assert imports == {"import Foundation", "import CryptoKit"}  # the latter where there is one


def test_the_package_names_everything_that_lies_in_the_bundle(bundle):
    text = (bundle / "Package.swift").read_text()
    lists = dict(re.findall(r"let (model|proofs|others) = .*?\[(\".*?)\]$", text, re.MULTILINE))
    named = {key: set(re.findall(r'"([^"]+)"', value)) for key, value in lists.items()}
    assert named["model"] == {"artifacts", "bundle.json", "contract.json", "labels.txt"}
    assert named["proofs"] == {"golden"}
    there = {path.name for path in bundle.iterdir()}
    assert set().union(*named.values()) == there - {"Package.swift", "Sources", "Tests"}


def test_golden_pictures_lie_there_without_a_need_for_a_decoder(bundle):
    told = json.loads((bundle / "golden/cases.json").read_text())
    for case in told["pictures"]:
        assert (bundle / case["picture"]).with_suffix(".ppm").read_bytes().startswith(b"P6")


def test_the_same_artifacts_make_the_same_package(bundle, artifacts, tmp_path):
    make_bundle(artifacts[:1], ORDER, tmp_path / "again")
    assert (tmp_path / "again/bundle.json").read_bytes() == (bundle / "bundle.json").read_bytes()
    assert verify(bundle).contents.platform == "ios"


def test_files_that_no_phone_of_apple_runs_are_refused(artifacts, tmp_path):
    with pytest.raises(UsageError, match="onnx files don't run on ios"):
        make_bundle(artifacts, ORDER, tmp_path / "bundle")


def test_numbers_that_swift_has_no_code_for_are_refused(artifacts, tmp_path):
    manifest = artifacts[0].manifest
    outputs = (replace(manifest.outputs[0], dtype="float16"),)
    odd = Artifact(artifacts[0].path, replace(manifest, outputs=outputs))
    with pytest.raises(UsageError, match=r"Swift reads uint8, .*, not float16"):
        make_bundle([odd], ORDER, tmp_path / "bundle")


def test_core_ml_is_for_ios_alone_and_its_source_for_core_ml(request, capsys, tmp_path):
    known = str(request.config.rootpath / "devices/known/tflite-int8")
    words = ["bundle", known, "-o", str(tmp_path / "b"), "--platform"]
    assert main([*words, "web", "--core-ml"]) == 2
    assert "Core ML files don't run on web" in capsys.readouterr().err
    assert main([*words, "ios", "--source", "mobilenet"]) == 2
    assert "say what --core-ml converts" in capsys.readouterr().err


# -- Swift -----------------------------------------------------------------------------------------


@pytest.mark.swift
def test_the_package_builds_without_a_warning_and_its_tests_pass(bundle, swift, tmp_path):
    shutil.copytree(bundle, tmp_path / "package")
    line = "swift test --package-path package --scratch-path built 2>&1"
    said = swift(tmp_path, line).decode()
    assert "warning:" not in said
    assert "testPicturesAndAnswersAreThoseOfTheGoldenCases' passed" in said
    assert "with 1 test skipped and 0 failures" in said  # LiteRT's package is for Apple's systems
    said = swift(tmp_path, "built/debug/known-glyphs-check package").decode()
    assert said.splitlines() == [
        "tflite-int8: 18 golden cases hold; no runtime for it here",
        f"samples: 0 of {6 * 24 * 24 * 3} numbers differ",
    ]
    files = len(json.loads((bundle / "bundle.json").read_text())["files"])
    said = swift(tmp_path, "built/debug/known-glyphs-check --verify package").decode()
    assert said == f"/mnt/package: {files} files are what it says\n"


TYPECHECK = r"""
mkdir lib
for module in CoreVideo CoreML CryptoKit CoreGraphics; do
  swiftc -swift-version 5 -parse-as-library -I lib -emit-module -module-name $module \
    -emit-module-path lib/$module.swiftmodule swift/stubs/$module.swift
done
swiftc -swift-version 5 -parse-as-library -I lib -I swift/litert/CLiteRT -emit-module \
  -module-name LiteRT -emit-module-path lib/LiteRT.swiftmodule swift/litert/LiteRT.swift
swiftc -swift-version 5 -parse-as-library -warnings-as-errors -I lib -emit-module \
  -module-name KnownGlyphsCore -emit-module-path lib/KnownGlyphsCore.swiftmodule \
  bundle/Sources/KnownGlyphsCore/*.swift
echo 'import Foundation; extension Foundation.Bundle { static let module = main }' > module.swift
swiftc -swift-version 5 -warnings-as-errors -typecheck -I lib -I swift/litert/CLiteRT \
  -module-name KnownGlyphs bundle/Sources/KnownGlyphs/*.swift module.swift
"""


@pytest.mark.swift
def test_what_needs_apple_s_libraries_is_type_checked_against_stand_ins(
    bundle, swift, tests_folder, tmp_path
):
    shutil.copytree(bundle, tmp_path / "bundle")
    shutil.copytree(tests_folder / "bundles/ios/swift", tmp_path / "swift")
    swift(tmp_path, TYPECHECK)
