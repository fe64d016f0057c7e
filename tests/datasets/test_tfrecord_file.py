from __future__ import annotations

import gzip
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.datasets import tfrecord_file
from edgekit.datasets.tfrecord_file import RecordFile, frame, written
from edgekit.errors import DataError, FileError

RECORDS = [b"one", b"", b"three" * 50, b"\x1f\x8b\x08", b"five"]
SIZES = [len(record) + 16 for record in RECORDS]


def write(path, records=RECORDS, *, compress=False):
    with written(path, compress=compress) as stream:
        for record in records:
            stream.write(frame(record))
    return path


def read_all(path):
    file = RecordFile(path)
    return [file.read(number) for number in range(len(file))]


@pytest.fixture(scope="module")
def damaged_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@settings(max_examples=20)  # each waits for the disk
@given(records=st.lists(st.binary(max_size=300), max_size=12), compress=st.booleans())
def test_what_is_written_is_read(tmp_path_factory, records, compress):
    folder = tmp_path_factory.mktemp("records")
    path = write(folder / "a.tfrecord", records, compress=compress)
    assert read_all(path) == records


@pytest.mark.parametrize("compress", [False, True])
def test_equal_records_give_equal_bytes(tmp_path, compress):
    one = write(tmp_path / "one.tfrecord", compress=compress).read_bytes()
    assert write(tmp_path / "two.tfrecord", compress=compress).read_bytes() == one


def test_compression_is_seen_in_the_bytes_not_in_the_name(tmp_path):
    assert read_all(write(tmp_path / "named-wrong.tfrecord", compress=True)) == RECORDS
    assert read_all(write(tmp_path / "named-wrong.tfrecord.gz")) == RECORDS


def test_a_length_that_begins_like_gzip_is_a_length(tmp_path):
    record = bytes(0x088B1F)
    assert read_all(write(tmp_path / "a.tfrecord", [record])) == [record]


def test_records_can_be_read_in_any_order(tmp_path):
    file = RecordFile(write(tmp_path / "a.tfrecord.gz", compress=True))
    assert [file.read(number) for number in (4, 0, 2)] == [RECORDS[4], RECORDS[0], RECORDS[2]]


@given(number=st.integers(0, 4), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_and_file_record_and_byte_are_named(
    damaged_folder, number, place, bit
):
    path = damaged_folder / "a.tfrecord"
    path.write_bytes(b"".join(map(frame, RECORDS)))
    offset = sum(SIZES[:number])
    data = bytearray(path.read_bytes())
    data[offset + place % SIZES[number]] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_all(path)
    if number or place % SIZES[number] >= 12:
        assert caught.value.message.startswith(f"{path}: record {number} at byte {offset}: ")
        assert "checksum" in caught.value.message
        assert caught.value.hint is not None
    else:
        assert caught.value.message.startswith(f"{path}: not a TFRecord")


@given(length=st.integers(1, sum(SIZES) - 1))
def test_a_cut_file_names_the_record_that_is_not_whole(damaged_folder, length):
    path = damaged_folder / "b.tfrecord"
    path.write_bytes(b"".join(map(frame, RECORDS))[:length])
    starts = [sum(SIZES[:number]) for number in range(6)]
    if length in starts:
        assert read_all(path) == RECORDS[: starts.index(length)]
        return
    number = max(n for n, start in enumerate(starts) if start < length)
    with pytest.raises(DataError, match="cut off") as caught:
        read_all(path)
    place = f"record {number} at byte {starts[number]:,}: "
    assert caught.value.message.startswith(f"{path}: {place}")


def test_a_cut_gzip_names_the_record_and_what_gzip_found(tmp_path):
    records = [struct.pack("<Q", number) * 64 for number in range(2000)]
    path = write(tmp_path / "a.tfrecord.gz", records, compress=True)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(
        DataError, match=r"record [\d,]+ at unpacked byte [\d,]+: gzip ends"
    ) as caught:
        RecordFile(path)
    assert caught.value.message.startswith(str(path))
    cache = tfrecord_file.cache_folder() / "tfrecords"
    assert not list(cache.glob(".edgekit-*"))


def test_a_damaged_record_within_sound_gzip_is_found_when_it_is_unpacked(tmp_path):
    data = bytearray(b"".join(map(frame, RECORDS)))
    data[sum(SIZES[:2]) + 20] ^= 1
    path = tmp_path / "a.tfrecord.gz"
    path.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(
        DataError, match=f"record 2 at unpacked byte {sum(SIZES[:2])}: the checksum"
    ):
        RecordFile(path)


def test_gzip_in_several_members_is_one_file(tmp_path):
    path = tmp_path / "a.tfrecord.gz"
    path.write_bytes(b"".join(gzip.compress(frame(record)) for record in RECORDS))
    assert read_all(path) == RECORDS


@pytest.mark.parametrize("content", [b"hello, world", b"PK\x03\x04" * 9, zlib.compress(b"0" * 99)])
def test_another_kind_of_file_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a TFRecord"):
        RecordFile(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_length_beyond_the_limit_is_refused_before_it_is_believed(
    tmp_path, monkeypatch, compress
):
    path = write(tmp_path / "a.tfrecord", compress=compress)
    monkeypatch.setattr(tfrecord_file, "MAX_RECORD_BYTES", 100)
    with pytest.raises(DataError, match=r"record 2 at byte \d+ is 250 bytes long") as caught:
        RecordFile(path)
    assert caught.value.limit == "100 bytes for a record"


def test_what_gzip_may_unpack_to_is_bounded(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tfrecord.gz", [bytes(1000)] * 50, compress=True)
    monkeypatch.setattr(tfrecord_file, "MAX_UNPACKED_BYTES", 10_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        RecordFile(path)


def test_a_compressed_file_is_unpacked_once(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tfrecord.gz", compress=True)
    RecordFile(path)
    monkeypatch.setattr(tfrecord_file, "_stream", None)
    assert read_all(path) == RECORDS


def test_a_cut_copy_in_the_cache_is_made_again(tmp_path):
    path = write(tmp_path / "a.tfrecord.gz", compress=True)
    copy = RecordFile(path)._plain
    copy.write_bytes(copy.read_bytes()[:-5])
    assert read_all(path) == RECORDS


def test_a_file_that_shrinks_under_its_reader_is_an_error(tmp_path):
    path = write(tmp_path / "a.tfrecord")
    file = RecordFile(path)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(DataError, match="became shorter"):
        file.read(4)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"absent\.tfrecord"):
        RecordFile(tmp_path / "absent.tfrecord")


def test_checksums_are_those_of_the_format():
    # Of 32 zero bytes, from RFC 3720, B.4; masked as TFRecord masks it.
    crc = 0x8A9136AA
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert tfrecord_file.masked_crc(bytes(32)) == masked
