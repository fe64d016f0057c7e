"""ZIPs made to fill a disk or a memory are refused with one line, before anything is unpacked."""

from __future__ import annotations

import resource
import struct
import tempfile
import zipfile
import zlib

import pytest

from edgekit.bundles.contents import CONTENTS
from edgekit.bundles.zipped import pack
from edgekit.cli import main

BLOCK = 64 * 1024**2
TEN_GIGABYTES = 10 * 1024**3


def zeros(count):
    """A deflate stream of so many zeros: one block again and again, each with nothing before it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (count // BLOCK) + packer.flush()


def with_entries(target, entries, streams):
    """A ZIP by hand: (name, size it says, which stream it points to) and the streams themselves."""
    body, places = b"", []
    for name, stream, size in streams:
        places.append(len(body))
        head = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, 0, 8, 0, 33, 0, 2**32 - 1,
                           2**32 - 1, len(name), 20)  # fmt: skip
        body += head + name.encode() + struct.pack("<HHQQ", 1, 16, size, len(stream)) + stream
    listed = b""
    for name, size, which in entries:
        sizes = (len(streams[which][1]), 2**32 - 1, len(name), 12)
        head = (b"PK\x01\x02", 45, 45, 0, 8, 0, 33, 0, *sizes, 0, 0, 0, 0, places[which])
        listed += struct.pack("<4sHHHHHHIIIHHHHHII", *head)
        listed += name.encode() + struct.pack("<HHQ", 1, 8, size)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(entries), len(entries), len(listed),
                      len(body), 0)  # fmt: skip
    target.write_bytes(body + listed + end)


@pytest.fixture
def refused(capsys, monkeypatch, tmp_path):
    """Verify refuses it with one line, having unpacked nothing; the line."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def check(target):
        before = resource.getrusage(resource.RUSAGE_SELF)
        assert main(["verify", str(target)]) == 1
        after = resource.getrusage(resource.RUSAGE_SELF)
        assert after.ru_maxrss - before.ru_maxrss < 64 * 1024  # kB
        assert after.ru_oublock - before.ru_oublock < 1000
        assert list(scratch.iterdir()) == []
        said = capsys.readouterr().err
        assert said.count("error:") == 1
        return said

    return check


def test_ten_gigabytes_of_zeros_in_ten_megabytes(refused, tmp_path):
    stream = zeros(TEN_GIGABYTES)
    target = tmp_path / "bomb.zip"
    with_entries(
        target, [("labels.txt", TEN_GIGABYTES, 0)], [("labels.txt", stream, TEN_GIGABYTES)]
    )
    assert target.stat().st_size < 11 * 1000**2
    with zipfile.ZipFile(target) as archive, archive.open("labels.txt") as bomb:  # it is one
        assert bomb.read(BLOCK) == bytes(BLOCK)
    assert "bytes would unpack to 10,737,418,240" in refused(target)


def test_files_that_lie_in_one_another(refused, tmp_path):
    stream = zeros(4 * BLOCK)
    names = [f"golden/{number}.bin" for number in range(100)]
    target = tmp_path / "bomb.zip"
    with_entries(target, [(n, 4 * BLOCK, 0) for n in names], [(names[0], stream, 4 * BLOCK)])
    assert "its files lie in one another" in refused(target)


def test_files_that_say_they_are_small(refused, bundle, tmp_path):
    """A size that is said is all that is read; then the sum differs."""
    listed = (bundle / CONTENTS).read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = packer.compress(listed) + packer.flush()
    target = tmp_path / "bomb.zip"
    with_entries(
        target,
        [(CONTENTS, len(listed), 0), ("labels.txt", 72, 1)],
        [(CONTENTS, whole, len(listed)), ("labels.txt", zeros(TEN_GIGABYTES), 72)],
    )
    assert "Bad CRC-32" in refused(target)


def test_a_list_of_a_million_files(refused, tmp_path):
    target = tmp_path / "bomb.zip"
    entry = struct.pack("<4s42x", b"PK\x01\x02")
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2**16 - 1, 2**16 - 1, 46 * 10**6, 4, 0)
    target.write_bytes(b"PK\x03\x04" + entry * 10**6 + end)
    assert "65,535 files" in refused(target)


def test_what_packs_well_is_no_bomb(bundle, tmp_path, capsys):
    (bundle / "zeros.bin").write_bytes(bytes(50_000_000))
    target = tmp_path / "bundle.zip"
    pack(bundle, target)
    assert main(["verify", str(target)]) == 1
    assert "zeros.bin is not in its bundle.json: it was added" in capsys.readouterr().err
