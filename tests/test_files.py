from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit import files
from edgekit.errors import FileError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"mount cannot be run: {error}")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".edgekit-")]


@given(data=JSON)
def test_equal_data_has_equal_bytes_whatever_the_order_of_keys(data):
    text = files.canonical_json(data)
    assert json.loads(text) == data
    if isinstance(data, dict):
        assert files.canonical_json(dict(reversed(data.items()))) == text


def test_nan_is_refused_because_it_is_not_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical_json({"x": float("nan")})


def test_a_tree_digest_sees_names_and_contents_but_no_caches(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = files.sha256_tree(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    assert files.sha256_tree(tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = files.sha256_tree(tmp_path)
    (tmp_path / "b.py").write_text("2")
    assert len({first, renamed, files.sha256_tree(tmp_path)}) == 3


def test_an_atomic_write_makes_the_folder_and_obeys_the_umask(tmp_path):
    path = tmp_path / "new" / "file.json"
    old = os.umask(0o027)
    try:
        files.write_atomic(path, "x")
    finally:
        os.umask(old)
    assert path.read_text() == "x"
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o640


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file"
    contents = {letter * 200_000 for letter in "ab"}
    files.write_atomic(path, "a" * 200_000)
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        for content in sorted(contents):
            files.write_atomic(path, content)
    stop.set()
    reader.join()
    assert seen <= contents


WRITE_FOREVER = """
import sys
from pathlib import Path
from edgekit import files
place = Path(sys.argv[1])
for round in range(10**9):
    with files.scratch_folder(place) as scratch:
        new = scratch / "new"
        new.mkdir()
        for part in "abc":
            (new / part).write_text(str(round) * 1000)
        files.replace_folder(new, place)
    files.write_atomic(place.with_suffix(".json"), str(round) * 1000)
    print(round, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_folders_and_files(tmp_path):
    place = tmp_path / "artifact"
    chance = random.Random(0)
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(place)], stdout=subprocess.PIPE
        ) as writer:
            for _ in range(chance.randint(1, 30)):
                writer.stdout.readline()
            for _ in range(chance.randint(0, 20_000)):
                pass  # to fall between two of its steps
            writer.kill()
        parts = [(place / part).read_text() for part in "abc"]
        assert len(set(parts)) == 1
        assert len(parts[0]) >= 1000
        assert len(place.with_suffix(".json").read_text()) % 1000 == 0


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    stale = tmp_path / f".edgekit-{gone}-abc"
    stale.mkdir()
    alive = tmp_path / f".edgekit-{os.getpid()}-abc"
    alive.mkdir()
    with files.scratch_folder(tmp_path / "place") as scratch:
        assert scratch.is_dir()
        assert not stale.exists()
        assert alive.exists()
    assert leftovers(tmp_path) == [alive.name]


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no atomic exchange there")
def test_a_folder_that_is_replaced_is_there_at_every_moment(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    absent, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            if not place.is_dir():
                absent.append(True)

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(200):
        with files.scratch_folder(place) as scratch:
            new = scratch / "new"
            new.mkdir()
            (new / "number").write_text(str(number))
            files.replace_folder(new, place)
    stop.set()
    watcher.join()
    assert not absent
    assert (place / "number").read_text() == "199"
    assert leftovers(tmp_path) == []


def test_without_an_exchange_the_folder_is_still_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange", lambda a, b: False)
    place = tmp_path / "place"
    for text in ("old", "new"):
        with files.scratch_folder(place) as scratch:
            (scratch / "n").mkdir()
            (scratch / "n" / "text").write_text(text)
            files.replace_folder(scratch / "n", place)
    assert (place / "text").read_text() == "new"
    assert leftovers(tmp_path) == []


def test_a_full_disk_keeps_the_old_file_whole_and_leaves_nothing(small_disk):
    path = small_disk / "file"
    files.write_atomic(path, "old")
    with pytest.raises(OSError, match="No space left") as caught:
        files.write_atomic(path, b"x" * 4_000_000)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert leftovers(small_disk) == []


def test_an_exception_inside_a_scratch_folder_removes_it(tmp_path):
    with suppress(RuntimeError), files.scratch_folder(tmp_path / "x") as scratch:
        (scratch / "half").write_text("x")
        raise RuntimeError
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a/b/../../../x"])
def test_a_path_that_climbs_out_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="points outside"):
        files.inside(tmp_path, name)


def test_a_link_that_leads_out_is_refused(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="points outside"):
        files.inside(tmp_path / "root", "link/secret")


@given(parts=st.lists(st.sampled_from(["a", "b", "..", ".", "c.txt"]), min_size=1, max_size=6))
def test_whatever_is_accepted_lies_inside(parts):
    root = Path("/somewhere/root")
    try:
        path = files.inside(root, "/".join(parts))
    except ValueError:
        return
    assert path.is_relative_to(root)


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    assert files.cache_folder() == tmp_path
    monkeypatch.delenv("EDGEKIT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert files.cache_folder() == tmp_path / "xdg" / "edgekit"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no place that refuses root is known")
def test_a_file_that_cannot_be_written_is_named_and_not_what_was_to_become_it():
    with pytest.raises(OSError, match=r"'/proc/self/none\.json'"):
        files.write_atomic(Path("/proc/self/none.json"), "x")
    with pytest.raises(FileError, match=r"/proc/self/none\.json: ") as caught:
        files.check_place(Path("/proc/self/none.json"), "it names a file")
    assert "tmp" not in caught.value.message


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    files.write_atomic(pipe, "said")
    reader.join(10)
    assert read == [b"said"]
    assert pipe.is_fifo()


def test_a_link_stays_a_link_to_what_is_written(tmp_path):
    (tmp_path / "file").write_text("before")
    (tmp_path / "link").symlink_to("file")
    files.write_atomic(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "after"


def test_a_folder_replaces_nothing_but_a_folder(tmp_path):
    new, pipe = tmp_path / "new", tmp_path / "pipe"
    new.mkdir()
    os.mkfifo(pipe)
    with pytest.raises(FileError, match="pipe: not a folder"):
        files.replace_folder(new, pipe)
    assert pipe.is_fifo()
