from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from edgekit.agent import cache
from edgekit.agent.bundle import write_bundle
from edgekit.agent.runner import connection_to
from edgekit.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs Unix sockets and fork")


class Relay:
    """A connection to a runner, as a transport has one."""

    def __init__(self, agent, folder, *new, kind="job", keep_s=20.0):
        command = [sys.executable, agent, "--relay", folder, kind, str(keep_s), *new]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.hello = self.hear()

    def say(self, **message):
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self):
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def cut(self):
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("agent") / "agent.pyz")


@pytest.fixture
def relay(agent, tmp_path):
    """Connect to a runner in a folder of this test's."""
    opened = []

    def connect(*new, **options):
        opened.append(Relay(agent, tmp_path / "runs" / "one", *new, **options))
        return opened[-1]

    yield connect
    for one in opened:
        one.cut()
    with suppress(OSError), connection_to(tmp_path / "runs" / "one") as connection:
        connection.sendall(b'{"end": true}\n')
        while connection.recv(4096):
            pass


PROBE = {"version": 1, "action": "probe"}


def gone(place, seconds=20.0):
    end = time.monotonic() + seconds
    while place.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_answer_that_was_lost_is_given_again_and_not_worked_out_twice(relay):
    first = relay("--new")
    assert first.hello["nodename"] == os.uname().nodename
    first.say(number=1, payload=PROBE)
    answer = first.hear()
    assert answer["answer"]["ok"]
    first.cut()
    second = relay()
    second.say(number=1, payload={"version": 1, "action": "none such"})
    assert second.hear() == answer  # the number is what was asked for


def test_a_request_that_is_under_way_is_waited_for_by_the_next_connection(relay):
    first = relay("--new")
    first.say(number=1, payload=PROBE)
    first.cut()
    second = relay()
    second.say(number=1, payload=PROBE)
    assert second.hear()["answer"]["ok"]
    second.say(number=2, payload=PROBE)
    assert second.hear()["number"] == 2


def test_a_request_out_of_its_order_is_refused(relay):
    one = relay("--new")
    one.say(number=7, payload=PROBE)
    assert one.hear()["error"]["message"] == "request 7 came after request 0"


def test_starting_twice_starts_once(relay):
    first = relay("--new")
    first.say(number=1, payload=PROBE)
    first.hear()
    again = relay("--new")
    again.say(number=1, payload=PROBE)
    assert again.hear()["number"] == 1


def test_the_end_is_told_and_takes_the_folder_with_it(relay, tmp_path):
    one = relay("--new")
    one.say(end=True)
    assert one.hear() == {"ended": True}
    assert not (tmp_path / "runs" / "one").exists()
    assert "gone" in relay().hello


def test_nobody_is_waited_for_longer_than_was_said(relay, tmp_path):
    one = relay("--new", keep_s=0.5)
    one.say(number=1, payload=PROBE)
    one.cut()
    gone(tmp_path / "runs" / "one")


def test_a_word_now_and_then_keeps_it(relay, tmp_path):
    one = relay("--new", keep_s=1.0)
    for _ in range(8):
        time.sleep(0.2)
        one.say(alive=True)
    one.say(number=1, payload=PROBE)
    assert one.hear()["answer"]["ok"]


@pytest.mark.parametrize("line", ["no JSON", "[]", '{"number": -1}', '{"number": 1, "x": 2}'])
def test_who_speaks_otherwise_is_dropped_and_the_next_is_served(relay, line, tmp_path):
    relay("--new")
    with connection_to(tmp_path / "runs" / "one") as stranger:
        stranger.settimeout(10)
        stranger.sendall(f"{line}\n".encode())
        while stranger.recv(4096):
            pass
    assert relay().hello["runner"] == 1


def question(*packs, keep_bytes=10**9, end=()):
    return {"packs": dict(packs), "keep_bytes": keep_bytes, "end": list(end)}


def pack(folder, digest, data=b"model", age_s=0.0):
    place = folder / "files" / digest
    place.mkdir(parents=True)
    (place / "m.bin").write_bytes(data)
    when = time.time() - age_s
    os.utime(place, (when, when))
    entry = {"name": "m.bin", "bytes": len(data), "sha256": cache.sha256(place / "m.bin")}
    return digest, [entry]


def there(folder):
    return {path.name for path in (folder / "files").iterdir()}


def test_a_pack_that_is_whole_is_there_and_one_that_is_damaged_is_removed(tmp_path):
    whole, damaged = pack(tmp_path, "whole"), pack(tmp_path, "damaged")
    (tmp_path / "files" / "damaged" / "m.bin").write_bytes(b"model"[::-1])
    answer = cache.look(tmp_path, question(whole, damaged, ("absent", whole[1])))
    assert answer["there"] == ["whole"]
    assert answer["free"] > 0
    assert there(tmp_path) == {"whole"}


def test_what_was_not_used_for_long_is_removed_and_above_the_limit_the_oldest(tmp_path):
    pack(tmp_path, "forgotten", age_s=40 * 86_400)
    pack(tmp_path, "old", bytes(1000), age_s=3 * 86_400)
    pack(tmp_path, "recent", bytes(1000), age_s=2 * 3600)
    pack(tmp_path, ".part-x", age_s=2 * 86_400)
    pack(tmp_path, ".part-y", age_s=60)
    used = pack(tmp_path, "used", bytes(1000), age_s=20 * 86_400)
    cache.look(tmp_path, question(used, keep_bytes=2500))
    assert there(tmp_path) == {"recent", "used", ".part-y"}


def test_what_somebody_may_be_about_to_use_is_never_removed(tmp_path):
    pack(tmp_path, "fresh", bytes(1000), age_s=60)
    cache.look(tmp_path, question(keep_bytes=1))
    assert there(tmp_path) == {"fresh"}


def test_a_folder_whose_runner_was_killed_is_removed(tmp_path):
    run = tmp_path / "runs" / "dead"
    run.mkdir(parents=True)
    (run / "log").touch()
    os.utime(run, (0, 0))
    cache.look(tmp_path, question())
    assert not run.exists()


def test_a_runner_that_was_left_behind_is_ended_when_its_owner_asks(relay, tmp_path):
    relay("--new").cut()
    cache.look(tmp_path, question(end=["one"]))
    gone(tmp_path / "runs" / "one")


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "a\0b"])
def test_no_name_leaves_the_folder(tmp_path, name):
    with pytest.raises(UsageError):
        cache.look(tmp_path, question(end=[name]))
    entry = {"name": name, "bytes": 0, "sha256": ""}
    (tmp_path / "files" / "p").mkdir(parents=True)
    with pytest.raises(UsageError):
        cache.look(tmp_path, question(("p", [entry])))
