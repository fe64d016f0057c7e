from __future__ import annotations

import io
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest

from edgekit.datasets import sources, unpacking
from edgekit.datasets.sources import Archive, content_digest, locate, open_archive
from edgekit.errors import DataError, FileError
from edgekit.files import cache_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"data/a.txt": b"first", "data/b.txt": b"second", "data/deep/c.txt": b"not used"}
TOP = f"pets-{COMMIT}"


@pytest.fixture
def archive(tmp_path):
    """What `FILES` are, by their content."""
    unpacked = tmp_path / "original" / TOP
    write(unpacked, FILES)
    unknown = Archive("pets", "someone/pets", COMMIT, ("data/*.txt",), "0" * 64, "MIT")
    return replace(unknown, digest=content_digest(unknown, unpacked))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of the user's, named by EDGEKIT_DATA, and an empty cache."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("EDGEKIT_DATA", str(folder))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return folder


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def pack(path, files, *, extra=(), mode="w:xz"):
    """A tar of `files`, and of `extra` entries (TarInfo, bytes) after them."""
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{TOP}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info, content in extra:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def everything_below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_an_unpacked_folder_is_used_where_it_lies_and_nothing_is_written_there(archive, own):
    write(own / TOP, {**FILES, "SOURCE.txt": b"where it is from"})
    before = everything_below(own)
    assert open_archive(archive) == own / TOP
    assert everything_below(own) == before
    assert locate(archive).kind == "folder"


@pytest.mark.parametrize(
    ("name", "mode"),
    [("pets.tar.xz", "w:xz"), ("pets.tar.gz", "w:gz"), (f"{TOP}.tar.gz", "w:gz")],
)
def test_a_packed_archive_is_unpacked_into_the_cache_once(archive, own, name, mode):
    pack(own / name, FILES, mode=mode)
    assert locate(archive).kind == "archive"
    folder = open_archive(archive)
    assert folder.is_relative_to(cache_folder())
    assert everything_below(folder) == ["data", "data/a.txt", "data/b.txt"]
    (own / name).unlink()
    assert open_archive(archive) == folder
    assert locate(archive).kind == "cache"
    assert everything_below(own) == []


def test_files_that_the_data_set_does_not_use_change_nothing(archive, own):
    write(own / TOP, {**FILES, "data/deep/c.txt": b"changed", "README.md": b"new"})
    assert open_archive(archive) == own / TOP


@pytest.mark.parametrize(
    "changed",
    [{"data/a.txt": b"First"}, {"data/new.txt": b""}],
    ids=["another byte", "another file"],
)
def test_other_content_is_refused_wherever_it_comes_from(archive, own, changed):
    write(own / TOP, {**FILES, **changed})
    with pytest.raises(DataError, match="its content has another digest") as caught:
        open_archive(archive)
    assert str(own / TOP) in caught.value.message
    assert any(archive.digest in line for line in caught.value.details)
    for path in sorted((own / TOP).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (own / TOP).rmdir()
    pack(own / "pets.tar.xz", {**FILES, **changed})
    with pytest.raises(DataError, match="its content has another digest"):
        open_archive(archive)
    assert locate(archive).kind == "archive"  # nothing of it stayed in the cache


def test_a_missing_file_is_other_content(archive, own):
    write(own / TOP, {"data/a.txt": b"first"})
    with pytest.raises(DataError, match="another digest") as caught:
        open_archive(archive)
    assert any(line.endswith("over 1 files") for line in caught.value.details)


def test_a_folder_is_checked_again_only_when_something_moved(archive, own, monkeypatch):
    write(own / TOP, FILES)
    open_archive(archive)
    monkeypatch.setattr(
        sources, "content_digest", lambda *_, **__: pytest.fail("every byte was read again")
    )
    open_archive(archive)
    monkeypatch.undo()
    monkeypatch.setenv("EDGEKIT_DATA", str(own))
    (own / TOP / "data" / "a.txt").write_bytes(b"longer than before")
    with pytest.raises(DataError, match="another digest"):
        open_archive(archive)


def test_nowhere_says_which_command_and_which_variable_would_do(archive, monkeypatch, tmp_path):
    monkeypatch.delenv("EDGEKIT_DATA", raising=False)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="the data set pets is not on this machine") as caught:
        open_archive(archive)
    assert "edgekit data fetch pets" in caught.value.hint
    assert f"EDGEKIT_DATA to a folder that holds {TOP} or pets.tar.xz" in caught.value.hint
    assert "EDGEKIT_DATA is not set" in caught.value.details


def test_a_variable_that_names_no_folder_is_an_error_of_its_own(archive, monkeypatch):
    monkeypatch.setenv("EDGEKIT_DATA", "/no/such/folder")
    with pytest.raises(DataError, match="EDGEKIT_DATA=/no/such/folder: no such folder"):
        open_archive(archive)


def test_a_killed_unpacking_leaves_nothing_that_the_next_would_trust(archive, own):
    pack(own / "pets.tar.xz", FILES)
    program = f"""
import os, signal
from edgekit.datasets.sources import Archive, open_archive
def die(step):
    if step.done:
        os.kill(os.getpid(), signal.SIGKILL)
open_archive({archive!r}, report=die)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = everything_below(cache_folder() / "data")
    assert left  # it was killed with work begun
    assert locate(archive).kind == "archive"
    folder = open_archive(archive)
    assert (folder / "data" / "b.txt").read_bytes() == b"second"
    assert not [name for name in everything_below(cache_folder()) if ".edgekit-" in name]


def link(name, target, kind):
    info = tarfile.TarInfo(f"{TOP}/{name}")
    info.type, info.linkname = kind, target
    return info, b""


def test_what_would_leave_the_folder_is_not_unpacked(archive, own, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("untouched")
    climbing = f"{TOP}/data/../../../../victim.txt"
    evil = [
        (tarfile.TarInfo(climbing), b"evil"),
        (tarfile.TarInfo(str(victim)), b"evil"),
        (tarfile.TarInfo(f"other-{COMMIT}/data/a.txt"), b"evil"),
        link("data/x.txt", str(victim), tarfile.SYMTYPE),
        link("data/y.txt", "../../../victim.txt", tarfile.LNKTYPE),
        link("data/z.txt", "", tarfile.FIFOTYPE),
        link("data/deep", "/", tarfile.SYMTYPE),
    ]
    pack(own / "pets.tar.xz", FILES, extra=evil)
    folder = open_archive(archive)
    assert everything_below(folder) == ["data", "data/a.txt", "data/b.txt"]
    assert victim.read_text() == "untouched"


def test_a_second_entry_of_a_name_cannot_slip_in_other_content(archive, own):
    again = (tarfile.TarInfo(f"{TOP}/data/a.txt"), b"evil")
    pack(own / "pets.tar.xz", FILES, extra=[again])
    with pytest.raises(DataError, match="another digest"):
        open_archive(archive)


def test_an_archive_of_zeros_is_refused_before_it_fills_the_disk(archive, own, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_BYTES", 100_000)
    bomb = tarfile.TarInfo(f"{TOP}/bomb.bin")
    pack(own / "pets.tar.xz", FILES, extra=[(bomb, bytes(10_000_000))])
    assert (own / "pets.tar.xz").stat().st_size < 10_000
    with pytest.raises(DataError, match="holds more than 100,000 bytes when unpacked"):
        open_archive(archive)


def test_an_archive_of_countless_entries_is_refused(archive, own, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 50)
    many = [(tarfile.TarInfo(f"{TOP}/{number}"), b"") for number in range(60)]
    pack(own / "pets.tar.xz", FILES, extra=many)
    with pytest.raises(DataError, match="holds more than 50 entries"):
        open_archive(archive)


@pytest.mark.parametrize("suffix", [".tar.xz", ".tar.gz"])
@pytest.mark.parametrize("damage", ["cut", "text", "empty", "flipped"])
def test_a_damaged_archive_is_named(archive, own, suffix, damage):
    path = own / f"pets{suffix}"
    noise = {"noise.bin": bytes(range(256)) * 400}
    pack(path, {**FILES, **noise}, mode="w:xz" if suffix == ".tar.xz" else "w:gz")
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:middle],
            "text": b"this is no archive at all, whatever its name says",
            "empty": b"",
            "flipped": whole[:middle] + bytes(255 - b for b in whole[middle : middle + 9])
            + whole[middle + 9 :],
        }[damage]
    )  # fmt: skip
    with pytest.raises(DataError, match=rf"pets\{suffix}: "):
        open_archive(archive)
    assert locate(archive).kind == "archive"


def test_a_pattern_stands_for_one_folder_level():
    from pathlib import PurePosixPath

    archive = Archive("x", "a/x", COMMIT, ("data/*/*.txt",), "", "MIT")
    assert archive.uses(PurePosixPath("data/a/b.txt"))
    assert not archive.uses(PurePosixPath("data/a.txt"))
    assert not archive.uses(PurePosixPath("data/a/b/c.txt"))
    assert not archive.uses(PurePosixPath("data/../b.txt"))


def test_a_cache_that_cannot_be_written_says_how_to_choose_another(archive, own, monkeypatch):
    pack(own / "pets.tar.xz", FILES)
    (own / "file").write_text("no folder")
    monkeypatch.setenv("EDGEKIT_CACHE", str(own / "file"))
    with pytest.raises(FileError, match="Not a directory") as caught:
        open_archive(archive)
    assert "EDGEKIT_CACHE" in caught.value.hint
