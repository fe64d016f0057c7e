"""The Kotlin refuses a bundle in which anything was changed, or that somebody else signed."""

from __future__ import annotations

import base64
import json
import random

import pytest

pytestmark = pytest.mark.kotlin


@pytest.fixture
def key(keys):
    return (keys / "mine.pub").read_text()


@pytest.fixture
def refused(steps, android_bundle, key):
    """Why the Kotlin refuses the bundle, by `verify` and where it is opened and read."""
    from .conftest import RefusedError

    def why(step="verify", *, key=key):
        with pytest.raises(RefusedError) as caught:
            steps(step, str(android_bundle), *([] if key is None else [key]))
        kind, _, message = str(caught.value).partition(": ")
        assert kind == "RefusedException"
        assert "\n" not in message
        return message

    return why


def test_a_bundle_as_it_was_made_is_whole(steps, android_bundle, key):
    files = json.loads((android_bundle / "bundle.json").read_text())["files"]
    assert steps("verify", str(android_bundle), key) == [str(len(files)).encode()]
    assert steps("verify", str(android_bundle)) == [str(len(files)).encode()]
    assert steps("open", str(android_bundle), key) == [b"known-glyphs"]


def test_a_flipped_bit_anywhere_is_refused(steps, android_bundle, key):
    from .conftest import RefusedError

    draw = random.Random(3)
    files = sorted(
        path for path in android_bundle.rglob("*") if path.is_file() and path.stat().st_size
    )
    for number in range(200):
        path = files[number % len(files)]
        whole = path.read_bytes()
        broken = bytearray(whole)
        place = draw.randrange(len(whole))
        # Base64 has bits that mean nothing, and the certificate's place holds none: not bundle.sig.
        if path.name == "bundle.sig":
            place = whole.index(b'"payload"') + 20
        broken[place] ^= 1 << draw.randrange(6)
        path.write_bytes(broken)
        with pytest.raises(RefusedError, match=r"^RefusedException"):
            steps("verify", str(android_bundle), key)
        path.write_bytes(whole)
    steps("verify", str(android_bundle), key)


def test_files_that_were_added_or_are_missing_are_refused(android_bundle, refused):
    added = android_bundle / "artifacts" / "tflite-int8" / "more.tflite"
    added.write_bytes(b"x")
    assert refused() == "artifacts/tflite-int8/more.tflite is not in bundle.json: it was added"
    added.unlink()
    (android_bundle / "empty" / "folder").mkdir(parents=True)
    assert refused() == "empty/folder is an empty folder: it was added"
    (android_bundle / "empty" / "folder").rmdir()
    (android_bundle / "empty").rmdir()
    (android_bundle / "labels.txt").unlink()
    assert refused() == "labels.txt is missing"
    assert refused("open").startswith("labels.txt cannot be read")


def test_links_are_refused(android_bundle, refused, tmp_path):
    labels = android_bundle / "labels.txt"
    labels.rename(tmp_path / "labels.txt")
    labels.symlink_to(tmp_path / "labels.txt")
    assert refused() == "labels.txt is a link or no plain file"
    assert refused("open") == "labels.txt cannot be read: labels.txt: no plain file"
    labels.unlink()
    (tmp_path / "labels.txt").rename(labels)
    (android_bundle / "golden").rename(tmp_path / "golden")
    (android_bundle / "golden").symlink_to(tmp_path / "golden")
    assert refused() == "golden is a link or no plain file"


def test_a_file_of_another_size_is_not_read(android_bundle, refused):
    with (android_bundle / "labels.txt").open("ab") as file:
        file.truncate(10 * 1024**3)  # takes no room
    assert refused().startswith("labels.txt has 10737418240 bytes; bundle.json says ")
    assert "larger than" in refused("open")


ENTRY = {"sha256": "0" * 64, "bytes": 1}
ZEROS = base64.b64encode(b"0\x06\2\1\0\2\1\0").decode()  # fits any key where nobody looks


def change(bundle, edit):
    place = bundle / "bundle.json"
    told = json.loads(place.read_text())
    edit(told)
    place.write_text(json.dumps(told))


@pytest.mark.parametrize(
    "path",
    ["../outside", "a/../../outside", "/etc/passwd", "C:/x", "a\\b", "a//b", ".hidden", "a/", "",
     "bundle.json", "x" * 201, "a\nb", "%2e%2e/x"],
)  # fmt: skip
def test_paths_that_leave_the_bundle_are_refused(android_bundle, refused, path):
    change(android_bundle, lambda told: told["files"].update({path: ENTRY}))
    for step in ("verify", "open"):
        assert "no path inside a bundle" in refused(step, key=None)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda told: told.update(format=2), "format 2; this code reads 1"),
        (lambda told: told.pop("files"), 'no "files"'),
        (lambda told: told.update(files=[]), "no table"),
        (lambda told: told["files"].update({"a": {"sha256": "0" * 64, "bytes": -1}}), "-1 bytes"),
        (lambda told: told["files"].update({"a": {"sha256": "0" * 64, "bytes": 1e3}}), "no whole"),
        (lambda told: told["files"].update({"a": {"sha256": "A" * 64, "bytes": 1}}), "no digest"),
        (lambda told: told["files"].update({"A": ENTRY, "a": ENTRY}), "in the case"),
        (lambda told: told.update(artifacts=[]), "artifacts without names of their own"),
        (lambda told: told["artifacts"][0].update(file="x.tflite"), "not among the files"),
        (lambda told: told.update(choice={"phone": "x"}), "x is not there"),
    ],
)  # fmt: skip
def test_contents_of_another_form_are_refused(android_bundle, refused, edit, why):
    change(android_bundle, edit)
    assert why in refused(key=None)


def test_another_key_s_signature_and_none_are_refused(android_bundle, refused, keys):
    theirs = (keys / "theirs.pub").read_text()
    assert refused(key=theirs) == refused("open", key=theirs)
    assert refused(key=theirs).endswith("the bundle was changed: it does not fit")
    (android_bundle / "bundle.sig").unlink()
    assert refused().startswith("bundle.sig cannot be read")


def test_a_list_that_was_made_to_fit_is_refused(android_bundle, refused, steps):
    import hashlib

    (android_bundle / "labels.txt").write_text("other\n")
    entry = {"sha256": hashlib.sha256(b"other\n").hexdigest(), "bytes": 6}
    change(android_bundle, lambda told: told["files"].update({"labels.txt": entry}))
    steps("verify", str(android_bundle))  # digests alone can be made by anybody
    assert refused().endswith(" differs")


def resigned(bundle, edit):
    """Change what was signed, and leave the signature."""
    place = bundle / "bundle.sig"
    document = json.loads(place.read_text())
    edit(document["dsseEnvelope"])
    place.write_text(json.dumps(document))


def payload(edit):
    def change(envelope):
        told = json.loads(base64.b64decode(envelope["payload"]))
        edit(told["predicate"]["resources"])
        envelope["payload"] = base64.b64encode(json.dumps(told).encode()).decode()

    return change


@pytest.mark.parametrize(
    "edit",
    [
        payload(lambda listed: listed[0].update(digest="0" * 64)),
        payload(lambda listed: listed.pop()),
        lambda envelope: envelope.update(payloadType="text/plain"),
        lambda envelope: envelope.update(signatures=[]),
        lambda envelope: envelope.update(payload="!"),
        lambda envelope: envelope.pop("payload"),
        lambda envelope: envelope["signatures"][0].update(sig=ZEROS),
        lambda envelope: envelope["signatures"][0].update(sig=""),
    ],
)  # fmt: skip
def test_forged_signatures_are_refused(android_bundle, refused, edit):
    resigned(android_bundle, edit)
    assert refused().startswith("the signature is not by this key, or the bundle was changed: ")


@pytest.mark.parametrize("curve", ["SECP256R1", "SECP384R1", "SECP521R1"])
def test_keys_of_each_curve_that_edgekit_signs_with_are_read(
    steps, android_bundle, tmp_path, curve
):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from edgekit.bundles.signing import sign

    key = ec.generate_private_key(getattr(ec, curve)())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    (android_bundle / "bundle.sig").unlink()
    sign(android_bundle, tmp_path / "key.pem")
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert len(steps("verify", str(android_bundle), public)) == 1
