"""A delta leads to the new bundle, whole and verified; anything else leaves the old one there."""

from __future__ import annotations

import json
import random
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgekit.bundles.checking import verify_folder
from edgekit.bundles.contents import CONTENTS, SIGNATURE
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.signing import sign
from edgekit.bundles.updating.applying import apply_delta
from edgekit.bundles.updating.delta import INDEX
from edgekit.bundles.updating.making import make_delta
from edgekit.cli import main
from edgekit.errors import ArtifactError, UsageError
from edgekit.files import zip_bytes


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_new_bundle_takes_the_place_of_the_old_one(versions, here, keys, tmp_path):
    done = apply_delta(versions / "up.zip", here, key=keys / "mine.pub")
    assert (done.before, done.verified.contents.version) == ("1.2.0", "1.3.0")
    assert done.verified.signed is not None
    assert bytes_of(here) == bytes_of(versions / "1.3.0")
    assert [one.name for one in tmp_path.iterdir()] == ["here"]


def test_the_old_one_is_kept_where_that_is_asked_for(versions, here, tmp_path):
    apply_delta(versions / "up.zip", here, keep=tmp_path / "kept" / "old")
    assert bytes_of(tmp_path / "kept" / "old") == bytes_of(versions / "1.2.0")
    with pytest.raises(UsageError, match="there is something already"):
        apply_delta(versions / "down.zip", here, keep=tmp_path / "kept", older=True)


@pytest.mark.parametrize("inside", [".", "old", "golden/old"])
def test_the_old_one_is_not_kept_in_what_is_replaced(versions, here, inside):
    before = bytes_of(here)
    with pytest.raises(UsageError, match="in the bundle that is replaced"):
        apply_delta(versions / "up.zip", here, keep=here / inside)
    assert bytes_of(here) == before


def test_a_delta_replaces_no_other_file(versions, tmp_path):
    out = tmp_path / "y.zip"
    out.write_text("precious")
    with pytest.raises(UsageError, match="there is something else"):
        make_delta(versions / "1.2.0", versions / "1.3.0", out)
    assert out.read_text() == "precious"
    shutil.copy(versions / "up.zip", out)
    make_delta(versions / "1.2.0", versions / "1.3.0", out)


def test_going_back_has_to_be_meant(versions, tmp_path):
    here = shutil.copytree(versions / "1.3.0", tmp_path / "here")
    with pytest.raises(ArtifactError, match=r"leads from 1\.3\.0 to 1\.2\.0, which is not newer"):
        apply_delta(versions / "down.zip", here)
    apply_delta(versions / "down.zip", here, older=True)
    assert bytes_of(here) == bytes_of(versions / "1.2.0")


def test_a_delta_for_another_bundle_is_refused(versions, here, artifacts, tmp_path):
    apply_delta(versions / "up.zip", here)
    with pytest.raises(ArtifactError, match=r"is 1\.3\.0 already"):
        apply_delta(versions / "up.zip", here)
    other = tmp_path / "other"
    make_bundle(artifacts[:1], Order("known", "1.2.0", "cpp"), other)
    with pytest.raises(ArtifactError, match="was made for another bundle"):
        apply_delta(versions / "up.zip", other)
    make_bundle(artifacts[:1], Order("stranger", "1.2.0", "cpp"), other)
    with pytest.raises(ArtifactError, match="is stranger for cpp"):
        apply_delta(versions / "up.zip", other)


def test_an_old_bundle_that_was_changed_is_not_built_upon(versions, here):
    labels = here / "labels.txt"
    labels.write_text(labels.read_text().replace("A", "B"))
    before = bytes_of(here)
    with pytest.raises(ArtifactError, match=r"labels\.txt is not as it was"):
        apply_delta(versions / "up.zip", here)
    assert bytes_of(here) == before
    labels.unlink()
    labels.symlink_to("/dev/zero")
    with pytest.raises(ArtifactError, match=r"labels\.txt is not as it was"):
        apply_delta(versions / "up.zip", here)


def repacked(versions, target, change):
    """The delta with its entries changed by `change(entries)`."""
    with zipfile.ZipFile(versions / "up.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    target.write_bytes(zip_bytes(entries))
    return target


def forged(entries):
    """A delta whose bundle is whole by its digests, and was made by somebody else."""
    import hashlib

    index = json.loads(entries[INDEX])
    evil = b"evil\n"
    digest = hashlib.sha256(evil).hexdigest()
    contents = json.loads(entries.pop("contents"))
    contents["files"]["labels.txt"] = {"sha256": digest, "bytes": len(evil)}
    text = json.dumps(contents).encode()
    index["files"]["labels.txt"] = {"sha256": digest, "bytes": len(evil), "how": "whole"}
    listed = {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text), "how": "whole"}
    index["files"][CONTENTS] = listed
    index["to"]["sha256"] = listed["sha256"]
    entries.pop(f"steps/{CONTENTS}", None)
    entries |= {"whole/labels.txt": evil, f"whole/{CONTENTS}": text}
    entries[INDEX] = json.dumps(index).encode()


def test_a_forged_delta_is_refused_by_the_key(versions, here, keys, tmp_path):
    contents = (versions / "1.3.0" / CONTENTS).read_bytes()
    target = repacked(
        versions, tmp_path / "f.zip", lambda e: (e.update(contents=contents), forged(e))
    )
    before = bytes_of(here)
    with pytest.raises(ArtifactError, match="the signature is not by"):
        apply_delta(target, here, key=keys / "mine.pub")
    assert bytes_of(here) == before
    apply_delta(target, here)  # digests alone anybody can make
    assert (here / "labels.txt").read_text() == "evil\n"


def test_another_keys_signature_and_none_are_refused(versions, here, keys, tmp_path):
    new = shutil.copytree(versions / "1.3.0", tmp_path / "new")
    (new / SIGNATURE).unlink()
    sign(new, keys / "theirs.pem")
    delta = make_delta(versions / "1.2.0", new, tmp_path / "theirs.zip").file
    with pytest.raises(ArtifactError, match="the signature is not by"):
        apply_delta(delta, here, key=keys / "mine.pub")

    def unsigned(entries):
        index = json.loads(entries[INDEX])
        del index["files"][SIGNATURE]
        entries[INDEX] = json.dumps(index).encode()
        for name in [name for name in entries if name.endswith(SIGNATURE)]:
            del entries[name]

    delta = repacked(versions, tmp_path / "unsigned.zip", unsigned)
    with pytest.raises(ArtifactError, match="a signed bundle, which an unsigned one"):
        apply_delta(delta, here)
    assert bytes_of(here) == bytes_of(versions / "1.2.0")


def test_a_flipped_byte_anywhere_leaves_the_old_bundle(versions, here, tmp_path):
    content = (versions / "up.zip").read_bytes()
    before, after = bytes_of(here), bytes_of(versions / "1.3.0")
    draw = random.Random(4)
    refused = 0
    for _ in range(60):
        broken = bytearray(content)
        broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
        target = tmp_path / "broken.zip"
        target.write_bytes(broken)
        try:
            apply_delta(target, here)
        except ArtifactError:
            refused += 1
            assert bytes_of(here) == before
        else:  # a date in the ZIP, say
            assert bytes_of(here) == after
            shutil.rmtree(here)
            shutil.copytree(versions / "1.2.0", here)
    assert refused > 40


def renamed(name):
    def change(entries):
        index = json.loads(entries[INDEX])
        index["files"][name] = {"sha256": "0" * 64, "bytes": 1, "how": "whole"}
        entries |= {INDEX: json.dumps(index).encode(), f"whole/{name}": b"x"}

    return change


def from_elsewhere(entries):
    index = json.loads(entries[INDEX])
    index["files"]["passwd"] = {
        "sha256": "0" * 64, "bytes": 1, "how": "kept", "from": "../../etc/passwd",
    }  # fmt: skip
    entries[INDEX] = json.dumps(index).encode()


def huge(entries):
    index = json.loads(entries[INDEX])
    one = index["files"]["artifacts/tflite-int8/model.tflite"]
    for number in range(2000):
        index["files"][f"copy/{number}"] = one
    entries[INDEX] = json.dumps(index).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (renamed("../slip.txt"), "is no path"),
        (renamed("/abs.txt"), "is no path"),
        (from_elsewhere, "is no path"),
        (lambda entries: entries.update(more=b"x"), "more was added"),
        (lambda entries: entries.pop(f"steps/{CONTENTS}"), "is missing"),
        (lambda entries: entries.pop(INDEX), "not a delta"),
        (lambda entries: entries.update({INDEX: b"{"}), "not valid JSON"),
        (lambda entries: entries.update({INDEX: b"[" * 10**6}), "not valid JSON"),
        (huge, "would make a bundle of"),
        (renamed("added.txt"), "gives another file"),
    ],
)  # fmt: skip
def test_a_delta_that_was_made_to_harm_is_one_line(versions, here, capsys, change, said):
    target = repacked(versions, here.with_name("bad.zip"), change)
    assert main(["update", "apply", str(target), str(here), "-q"]) == 1
    told = capsys.readouterr().err
    assert told.count("error:") == 1
    assert said in told
    assert bytes_of(here) == bytes_of(versions / "1.2.0")
    assert sorted(one.name for one in here.parent.iterdir()) == ["bad.zip", "here"]


def test_a_link_in_a_delta_is_refused(versions, here, tmp_path):
    target = shutil.copy(versions / "up.zip", tmp_path / "link.zip")
    entry = zipfile.ZipInfo("whole/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ArtifactError, match="is a link"):
        apply_delta(target, here)


# Forks, and each child is killed at another of the things it asks the system for.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from edgekit.bundles.checking import verify_folder
from edgekit.bundles.contents import read_contents
from edgekit.bundles.updating.applying import apply_delta

delta, versions, base = map(Path, sys.argv[1:])
old = versions / "1.2.0"
here, kept = base / "here", base / "kept"
os.fsync = lambda _: None  # against power cuts, not against this; and it is slow

def run(kill_at, keep):
    done, exchanges = [0], []
    def watch(event, args):
        if event == "open" or event.startswith(("os.", "shutil.", "ctypes.", "tempfile.")):
            done[0] += 1
            if done[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if "renameat2" in map(str, args) or event == "os.rename":
                exchanges.append(done[0])
    sys.addaudithook(watch)
    apply_delta(delta, here, keep=kept if keep else None)
    return done[0], exchanges[-1]

def fresh():
    for place in (here, kept):
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(old, here)

def forked(kill_at, keep):
    pid = os.fork()
    if not pid:
        run(kill_at, keep)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

fresh()
reading, writing = os.pipe()
pid = os.fork()
if not pid:
    os.write(writing, b"%d %d" % run(0, True))
    os._exit(0)
os.waitpid(pid, 0)
total, exchange = map(int, os.read(reading, 40).split())
near = range(exchange - 4, min(exchange + 5, total))
found = []
for kill_at in sorted({*range(1, total, max(1, total // 10)), *near}):
    fresh()
    keep = kill_at % 2 == 1
    code = forked(kill_at, keep)
    version = verify_folder(here).contents.version
    if keep and version == "1.3.0":
        assert verify_folder(kept).contents.version == "1.2.0"
    found.append((code, version))
fresh()
assert forked(0, False) == 0
assert verify_folder(here).contents.version == "1.3.0"
left = sorted(one.name for one in base.iterdir() if one.name not in ("here", "kept"))
print(total, sorted(set(found)), left)
"""


def test_whoever_is_killed_in_the_middle_leaves_a_whole_bundle(versions, tmp_path):
    base = tmp_path / "device"
    base.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, versions / "up.zip", versions, base],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = done.stdout
    total, left = found.partition("[")[0], found.rpartition("[")[-1]
    assert int(total) > 100
    # Killed before and behind the exchange.
    assert "(-9, '1.2.0')" in found
    assert "(-9, '1.3.0')" in found
    assert left == "]\n"


def test_words_and_document(versions, here, keys, capsys):
    words = ["update", "apply", str(versions / "up.zip"), str(here)]
    assert main([*words, "--json", "-q", "--key", str(keys / "mine.pub")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["from"], told["to"], told["kept"]) == ("1.2.0", "1.3.0", None)
    assert len(told["signed_by"]) == 64
    assert verify_folder(here, key=keys / "mine.pub").signed is not None


@pytest.mark.skipif(shutil.which("node") is None, reason="apt-get install npm brings node")
@pytest.mark.parametrize(
    ("delta", "old", "new"), [("up", "1.2.0", "1.3.0"), ("down", "1.3.0", "1.2.0")]
)
def test_another_language_makes_the_same_bundle_of_it(versions, tmp_path, delta, old, new):
    script = Path(__file__).with_name("apply.mjs")
    words = ["node", script, versions / f"{delta}.zip", versions / old, tmp_path / "new"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "new") == bytes_of(versions / new)
