"""Commands and files over the real adb client, against a protocol double of a phone's daemon."""

from __future__ import annotations

import pytest

from edgekit.errors import DeviceError, FileError
from edgekit.transports.adb.link import AdbLink
from edgekit.transports.remote.way import Lost


@pytest.fixture
def link(options):
    link = AdbLink(options)
    yield link
    link.close()


def test_a_command_has_its_status_its_output_and_its_words(link):
    done = link.call(link.run("cat; echo told >&2; exit 7", b"given\0\n\xff"))
    assert (done.status, done.output, done.words) == (7, b"given\0\n\xff", "told")


def test_a_command_that_is_cut_off_is_lost_whatever_it_printed(link, phone, wait_for):
    async def cut():
        async with link.channel("echo first; sleep 60") as channel:
            assert await channel.line(100) == b"first"
            phone.cut()
            await channel.line(100)

    with pytest.raises(Lost):
        link.call(cut())


def test_a_file_comes_and_goes_whole_under_any_name(link, phone, tmp_path):
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(bytes(range(256)) * 4000)
    there = phone.place / "a 'quoted' $name"

    async def exchange():
        async with link.files() as files:
            await files.put(here, str(there))
            await files.get(str(there), back, here.stat().st_size)

    link.call(exchange())
    assert back.read_bytes() == here.read_bytes()


def test_a_file_that_is_larger_than_was_said_is_refused(link, phone, tmp_path):
    (phone.place / "large").write_bytes(bytes(1 << 20))

    async def get():
        async with link.files() as files:
            await files.get(str(phone.place / "large"), tmp_path / "y.npy", 1000)

    with pytest.raises(DeviceError, match=r"y.npy: the device sends more than it said"):
        link.call(get())
    assert (tmp_path / "y.npy").stat().st_size <= 1000


def test_files_that_are_not_there_are_errors_on_either_side(link, phone, tmp_path):
    async def get(there, here):
        async with link.files() as files:
            await files.get(str(there), here, 10)

    with pytest.raises(DeviceError, match="No such file"):
        link.call(get(phone.place / "none", tmp_path / "y"))
    (phone.place / "one").write_bytes(b"1")
    with pytest.raises(FileError):
        link.call(get(phone.place / "one", tmp_path / "no folder" / "y"))


def test_what_somebody_else_pushed_first_stays(link, phone):
    place, part = phone.place / "place", phone.place / ".part-1"
    for folder, text in ((place, "theirs"), (part, "ours")):
        folder.mkdir()
        (folder / "file").write_text(text)

    async def move():
        async with link.files() as files:
            await files.move(str(part), str(place))

    link.call(move())
    assert (place / "file").read_text() == "theirs"
    assert not part.exists()
    assert [path.name for path in place.iterdir()] == ["file"]
