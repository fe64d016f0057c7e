"""The Swift of a bundle loads what was signed and is whole, and refuses what was changed."""

from __future__ import annotations

import base64
import json
import random
import shutil
import struct
from pathlib import Path

import pytest

from edgekit.bundles.contents import CONTENTS, SIGNATURE

pytestmark = pytest.mark.swift


@pytest.fixture
def bundle(ios_built):
    """A copy to be broken, which the root sees."""
    place = ios_built / "broken"
    shutil.rmtree(place, ignore_errors=True)
    yield shutil.copytree(ios_built / "bundle", place)
    shutil.rmtree(place)


@pytest.fixture
def refused(ios_built, swift, keys):
    """What a command says of the broken bundle, in one line."""

    def run(line):
        said = swift(ios_built, f"./steps {line}", status=1).decode().splitlines()
        (error,) = [one for one in said if one.startswith("error: ")]
        return error

    return run


@pytest.fixture(scope="module")
def key(ios_built, keys):
    for name in ("mine.pub", "theirs.pub"):
        shutil.copy(keys / name, ios_built)
    return "mine.pub"


@pytest.mark.parametrize("label", ["tflite-int8", "tflite-fp32", "tflite-int8-int8"])
def test_every_golden_case_holds_on_litert(ios_built, swift, label):
    said = swift(ios_built, f"./steps check bundle {label}").decode()
    assert said == f"18 cases, {6 * 24 * 24 * 3} numbers, worst 0.0\n"


def test_a_class_of_device_takes_its_artifact_and_any_other_the_first(ios_built, swift):
    assert swift(ios_built, "./steps load bundle phone").decode() == "tflite-fp32\n"
    assert swift(ios_built, "./steps load bundle toaster").decode() == "tflite-int8\n"


def relist(bundle, path, content):
    """Change a file, and the list with it, as whoever makes another bundle does."""
    import hashlib

    (bundle / path).write_bytes(content)
    told = json.loads((bundle / CONTENTS).read_text())
    told["files"][path] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (bundle / CONTENTS).write_text(json.dumps(told))


def test_an_artifact_that_does_not_load_is_followed_by_the_next(ios_built, swift, bundle, refused):
    relist(bundle, "artifacts/tflite-fp32/model.tflite", b"no model")
    said = swift(ios_built, "./steps load broken phone").decode().splitlines()
    assert said[0] == "tflite-int8"
    assert said[1].startswith("tflite-fp32: ")
    assert "tflite-fp32" in refused("check broken tflite-fp32")  # asked for by name: no other


def test_a_changed_model_is_refused_and_no_other_is_loaded(bundle, refused):
    model = bundle / "artifacts/tflite-fp32/model.tflite"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    said = refused("load broken phone")
    assert said == (
        "error: artifacts/tflite-fp32/model.tflite: sha256 differs from the one in bundle.json"
    )


def test_a_whole_bundle_is_verified_and_its_signature_is_the_key_s(ios_built, swift, key, refused):
    files = json.loads((ios_built / "bundle" / CONTENTS).read_text())["files"]
    assert swift(ios_built, "./steps verify bundle").decode() == f"{len(files)}\n"
    assert swift(ios_built, f"./steps signed bundle {key}").decode() == "signed\n"
    assert "not by this key" in refused("signed bundle theirs.pub")
    assert "the one that is expected" in refused(f"verify bundle {'0' * 64}")


def test_a_flipped_bit_anywhere_is_refused(ios_built, swift, bundle, key):
    draw = random.Random(17)
    paths = sorted(path for path in bundle.rglob("*") if path.is_file())
    envelope = json.loads((bundle / SIGNATURE).read_text())["dsseEnvelope"]
    items = []
    for path in [*paths, *draw.choices(paths, k=200 - len(paths))]:
        name = path.relative_to(bundle).as_posix()
        at = draw.randrange(path.stat().st_size)
        if name == SIGNATURE:  # elsewhere lies what says how it may be checked, and spaces
            at = path.read_text().index(envelope["payload"]) + draw.randrange(9000)
        items.append(f"{name} {at} {draw.randrange(8)}".encode())
    sent = b"".join(struct.pack("<I", len(item)) + item for item in items)
    said = swift(ios_built, f"./steps flips broken {key}", sent)
    assert said == (struct.pack("<I", 7) + b"refused") * 200


@pytest.mark.parametrize("name", ["extra", "golden/.hidden", "new/deep/file"])
def test_an_added_file_is_named(bundle, refused, name):
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text("x")
    assert f"{name} is not in bundle.json: it was added" in refused("verify broken")


def test_missing_files_links_empty_folders_and_other_sizes_are_named(bundle, refused):
    labels = bundle / "labels.txt"
    labels.rename(bundle.parent / "kept")
    assert "labels.txt is missing" in refused("verify broken")
    labels.symlink_to("../kept")
    assert "labels.txt is a link or no plain file" in refused("verify broken")
    labels.unlink()
    with labels.open("wb") as stream:
        stream.truncate(10 * 1024**3)
    assert "labels.txt has 10737418240 bytes; bundle.json says 72" in refused("load broken phone")
    labels.unlink()
    (bundle.parent / "kept").rename(labels)
    (bundle / "empty").mkdir()
    assert "is an empty folder: it was added" in refused("verify broken")


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "a//b", "a\\b", ".", "a/.b", "-rf", "x/" * 17 + "y", "é"]
)
def test_a_list_with_a_path_that_leaves_the_bundle_is_refused(bundle, refused, path):
    told = json.loads((bundle / CONTENTS).read_text())
    told["files"][path] = {"sha256": "0" * 64, "bytes": 1}
    (bundle / CONTENTS).write_text(json.dumps(told))
    assert "no path, size and digest" in refused("verify broken")


def test_a_damaged_list_or_signature_is_no_crash(ios_built, swift, bundle, key):
    before = (bundle / CONTENTS).read_bytes()
    draw = random.Random(5)
    damaged = [b"", b"{}", b"null", b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe", before[:999]]
    odd = (b"\xff", b"\x01", rb"\ud800", rb"\udc00\ud800", rb"\x", rb"\u12")
    damaged += [before.replace(b'"files"', b'"%s": 1, "files"' % one) for one in odd]
    for _ in range(40):
        data = bytearray(before)
        data[draw.randrange(600)] = draw.randrange(256)
        damaged.append(bytes(data))
    for name in (CONTENTS, SIGNATURE):
        whole = (bundle / name).read_bytes()
        for content in damaged:
            (bundle / name).write_bytes(content)
            # 132 and the like: a crash.
            swift(ios_built, f"./steps signed broken {key} > /dev/null 2>&1 || test $? = 1")
        (bundle / name).write_bytes(whole)


def forged(bundle, change):
    """Change what the envelope holds, and leave the signature as it is."""
    file = bundle / SIGNATURE
    told = json.loads(file.read_text())
    change(told["dsseEnvelope"])
    file.write_text(json.dumps(told))


def test_a_forged_signature_is_refused(bundle, refused, key):
    whole = (bundle / SIGNATURE).read_text()
    swapped = (bundle / "labels.txt").read_bytes()[::-1]

    def payload(envelope):
        told = json.loads(base64.b64decode(envelope["payload"]))
        del told["predicate"]["resources"][0]
        envelope["payload"] = base64.b64encode(json.dumps(told).encode()).decode()

    changes = {
        "it does not fit": [
            payload,
            lambda it: it["signatures"].clear(),
            lambda it: it["signatures"][0].update(sig=base64.b64encode(b"\x30\x00").decode()),
        ],
        "another form": [
            lambda it: it.update(payloadType="text/plain"),
            lambda it: it.update(payload="%"),
            lambda it: it.pop("signatures"),
        ],
    }
    for why, ways in changes.items():
        for change in ways:
            (bundle / SIGNATURE).write_text(whole)
            forged(bundle, change)
            assert why in refused(f"signed broken {key}")
    (bundle / SIGNATURE).write_text(whole)
    relist(bundle, "labels.txt", swapped)
    assert " differs" in refused(f"signed broken {key}")
    (bundle / SIGNATURE).unlink()
    assert "bundle.sig is missing" in refused(f"signed broken {key}")
    Path(bundle / SIGNATURE).symlink_to("../bundle/bundle.sig")
    assert "is a link" in refused(f"signed broken {key}")
