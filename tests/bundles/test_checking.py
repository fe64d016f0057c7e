"""A bundle in which anything was changed is refused, by one error that says what."""

from __future__ import annotations

import json
import os
import random
import zipfile

import pytest

from edgekit.bundles.checking import verify
from edgekit.bundles.contents import CONTENTS, SIGNATURE, is_path
from edgekit.bundles.zipped import pack
from edgekit.cli import main
from edgekit.errors import ArtifactError, UsageError


def test_a_bundle_as_it_was_made_is_whole_and_says_who_signed_it(bundle, keys):
    found = verify(bundle, key=keys / "mine.pub")
    assert found.contents.name == "known"
    assert found.signed is not None
    assert len(found.signed.fingerprint) == 64
    unasked = verify(bundle)
    assert (unasked.signed, unasked.has_signature) == (None, True)


def test_a_flipped_bit_anywhere_is_refused(bundle, keys):
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    draw = random.Random(7)
    # In every file one, and in the whole as many as make 200, the larger the file the more.
    places = [(path, draw.randrange(size)) for path, size in zip(files, sizes, strict=True) if size]
    while len(places) < 200:
        (path,) = draw.choices(files, sizes)
        places.append((path, draw.randrange(path.stat().st_size)))
    passed = []
    for path, at in places:
        before = path.read_bytes()
        changed = bytearray(before)
        changed[at] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        try:
            verify(bundle, key=keys / "mine.pub")
            passed.append((path.name, at))
        except ArtifactError:
            pass
        path.write_bytes(before)
    assert len(places) >= 200
    assert passed == []
    verify(bundle, key=keys / "mine.pub")


def test_another_key_s_signature_is_refused(bundle, keys):
    with pytest.raises(ArtifactError, match=r"signature is not by .*theirs\.pub"):
        verify(bundle, key=keys / "theirs.pub")


def test_a_list_that_was_made_to_fit_a_changed_file_is_refused_with_the_key(bundle, keys):
    data = json.loads((bundle / CONTENTS).read_text())
    (bundle / "labels.txt").write_text("\n".join("x" * 36) + "\n")
    from edgekit.files import sha256_file

    data["files"]["labels.txt"] = {
        "sha256": sha256_file(bundle / "labels.txt"),
        "bytes": (bundle / "labels.txt").stat().st_size,
    }
    (bundle / CONTENTS).write_text(json.dumps(data))
    verify(bundle)  # digests alone are anybody's
    with pytest.raises(ArtifactError, match="signature is not by"):
        verify(bundle, key=keys / "mine.pub")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xff", b'{"a":' * 5000])
def test_a_signature_that_is_none_is_refused(bundle, keys, content):
    (bundle / SIGNATURE).write_bytes(content)
    with pytest.raises(ArtifactError, match="signature is not by"):
        verify(bundle, key=keys / "mine.pub")


def test_a_bundle_without_a_signature_is_refused_where_one_is_asked_for(bundle, keys):
    (bundle / SIGNATURE).unlink()
    assert verify(bundle).has_signature is False
    with pytest.raises(ArtifactError, match="not signed"):
        verify(bundle, key=keys / "mine.pub")


@pytest.mark.parametrize("name", ["labels.txt", "artifacts/tflite-int8/model.tflite", CONTENTS])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(ArtifactError, match=r"is missing|not a bundle"):
        verify(bundle)


@pytest.mark.parametrize("name", ["extra.txt", "golden/.hidden", ".git/config", "new/dir/file"])
def test_an_added_file_is_named(bundle, name):
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text("x")
    with pytest.raises(ArtifactError, match="it was added"):
        verify(bundle)


def test_links_and_other_files_are_refused(bundle, tmp_path):
    labels = bundle / "labels.txt"
    labels.rename(tmp_path / "elsewhere")
    labels.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="is a link or no plain file"):
        verify(bundle)
    labels.unlink()
    os.mkfifo(labels)
    with pytest.raises(ArtifactError, match="is a link or no plain file"):
        verify(bundle)


def test_a_file_of_another_size_is_not_read(bundle):
    with (bundle / "labels.txt").open("r+b") as stream:
        stream.truncate(10 * 1024**3)  # a hole: it takes no place on the disk
    with pytest.raises(ArtifactError, match="has 10,737,418,240 bytes"):
        verify(bundle)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../out",
        "a/../../b",
        "a//b",
        "a\\b",
        "C:/x",
        "",
        ".",
        "a/.b",
        "ä",
        "a" * 201,
        "x/" * 17 + "y",
        "a\n",
        "-rf",
    ],
)
def test_a_path_that_leaves_a_bundle_or_differs_between_systems_is_none(path):
    assert not is_path(path)


def test_a_list_with_such_a_path_is_refused(bundle):
    data = json.loads((bundle / CONTENTS).read_text())
    data["files"]["../outside"] = {"sha256": "0" * 64, "bytes": 1}
    (bundle / CONTENTS).write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match="is no path of a bundle's file"):
        verify(bundle)


# -- as a ZIP --------------------------------------------------------------------------------------


def test_a_zip_of_a_bundle_is_verified_like_its_folder(bundle, keys, tmp_path):
    pack(bundle, tmp_path / "a.zip")
    pack(bundle, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert verify(tmp_path / "a.zip", key=keys / "mine.pub").signed is not None


def rewritten(bundle, target, change):
    """A ZIP of a bundle, with more in it than there should be."""
    pack(bundle, target)
    with zipfile.ZipFile(target, "a") as archive:
        change(archive)
    return target


def link(archive):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    archive.writestr(entry, "/etc/passwd")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda archive: archive.writestr("../slip.txt", "x"), "is no path inside a bundle"),
        (lambda archive: archive.writestr("/abs.txt", "x"), "is no path inside a bundle"),
        (link, "is a link or no plain file"),
        (lambda archive: archive.writestr("extra.txt", "x"), "it was added"),
        (lambda archive: archive.writestr("LABELS.TXT", "x"), "holds a name twice"),
    ],
)
def test_a_zip_with_more_in_it_is_refused_before_anything_is_unpacked(
    bundle, tmp_path, change, said
):
    target = rewritten(bundle, tmp_path / "bad.zip", change)
    with pytest.raises(ArtifactError, match=said):
        verify(target)
    assert not (tmp_path / "slip.txt").exists()


def test_a_bomb_is_refused_by_the_size_it_says(bundle, tmp_path, capsys):
    (bundle / "labels.txt").unlink()
    target = tmp_path / "bomb.zip"
    pack(bundle, target)
    with (
        zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("labels.txt", "w", force_zip64=True) as sink,
    ):
        block = bytes(16 * 1024**2)
        for _ in range(16):
            sink.write(block)
    with pytest.raises(ArtifactError, match="unpacks to 268,435,456 bytes, more than the 72"):
        verify(target)
    assert main(["verify", str(target)]) == 1
    assert capsys.readouterr().err.count("error:") == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 1000])
def test_a_file_that_is_no_zip_is_one_error(tmp_path, content):
    target = tmp_path / "no.zip"
    target.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a readable ZIP"):
        verify(target)


def test_a_zip_that_was_damaged_is_one_error(bundle, tmp_path):
    target = tmp_path / "a.zip"
    pack(bundle, target)
    data = bytearray(target.read_bytes())
    draw = random.Random(3)
    for _ in range(25):
        broken = bytearray(data)
        broken[draw.randrange(len(broken))] ^= 255
        target.write_bytes(broken)
        try:
            verify(target)
        except ArtifactError:
            continue
        # What a ZIP says besides names and contents, dates say, is nobody's loss.


def test_a_key_that_is_none_is_one_error(bundle, tmp_path, keys):
    (tmp_path / "no.pub").write_text("hello")
    with pytest.raises(UsageError, match="no public key"):
        verify(bundle, key=tmp_path / "no.pub")
    with pytest.raises(UsageError, match="no public key"):
        verify(bundle, key=keys / "mine.pem")


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_zip_with_something_around_it_is_refused(bundle, tmp_path, where):
    target = tmp_path / "a.zip"
    pack(bundle, target)
    data = target.read_bytes()
    target.write_bytes(b"x" * 600 + data if where == "before" else data + b"x" * 600)
    with pytest.raises(ArtifactError, match=r"holds more than a ZIP|not a readable ZIP"):
        verify(target)


def test_an_empty_folder_that_was_added_is_refused(bundle):
    (bundle / "golden" / "more").mkdir()
    with pytest.raises(ArtifactError, match="is an empty folder"):
        verify(bundle)


def test_a_place_where_nothing_is_is_no_bundle(tmp_path):
    with pytest.raises(ArtifactError, match="no such bundle"):
        verify(tmp_path / "nowhere")
