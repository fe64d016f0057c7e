from __future__ import annotations

import email
import io
import tarfile
import urllib.request
import urllib.response
from dataclasses import replace

import pytest

from edgekit.datasets import download
from edgekit.datasets.download import fetch, https_opener
from edgekit.datasets.sources import Archive, content_digest, locate, open_archive
from edgekit.errors import DataError

COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
FILES = {"a.txt": b"first", "b.txt": b"second"}


class Answers(urllib.request.HTTPSHandler):
    """A web of its own: answers by address, everything around it is urllib's."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers
        self.asked = []

    def https_open(self, req):
        self.asked.append(req.full_url)
        status, headers, body = self.answers[req.full_url]
        message = email.message_from_string("".join(f"{k}: {v}\n" for k, v in headers.items()))
        stream = body if hasattr(body, "read") else io.BytesIO(body)
        answer = urllib.response.addinfourl(stream, message, req.full_url, status)
        answer.msg = "as told"
        return answer


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.delenv("EDGEKIT_DATA", raising=False)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    unpacked = tmp_path / "original"
    unpacked.mkdir()
    for name, content in FILES.items():
        (unpacked / name).write_bytes(content)
    unknown = Archive("pets", "someone/pets", COMMIT, ("*.txt",), "0" * 64, "MIT")
    return replace(unknown, digest=content_digest(unknown, unpacked))


def packed(files=FILES):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"pets-{COMMIT}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def fetch_from(archive, answers, **options):
    handler = Answers(answers)
    return fetch(archive, opener=https_opener(handler), **options), handler


def test_fetching_downloads_the_commit_once_and_checks_it(archive):
    steps = []
    place, handler = fetch_from(archive, {archive.url: (200, {}, packed())}, report=steps.append)
    assert handler.asked == [f"https://github.com/someone/pets/archive/{COMMIT}.tar.gz"]
    assert place.kind == "cache"
    assert (open_archive(archive) / "b.txt").read_bytes() == b"second"
    assert any(step.task == "downloading pets" for step in steps)
    again, handler = fetch_from(archive, {})
    assert again == place
    assert handler.asked == []


def test_a_redirect_to_https_is_followed_and_one_to_http_is_not(archive):
    elsewhere = "https://codeload.example/pets.tar.gz"
    found, handler = fetch_from(
        archive,
        {
            archive.url: (302, {"Location": elsewhere}, b""),
            elsewhere: (200, {}, packed()),
        },
    )
    assert handler.asked == [archive.url, elsewhere]
    assert found.kind == "cache"
    other = replace(archive, digest="1" * 64)
    for target, reason in (
        ("http://plain.example/pets.tar.gz", "which is not https"),
        ("file:///etc/passwd", "not allowed"),
    ):
        with pytest.raises(DataError, match=reason):
            fetch_from(other, {archive.url: (302, {"Location": target}, b"")})


@pytest.mark.parametrize("status", [404, 503])
def test_a_refusal_is_told_with_its_number_and_a_way_without_network(archive, status):
    with pytest.raises(DataError, match=f"cannot be downloaded: {status}") as caught:
        fetch_from(archive, {archive.url: (status, {}, b"no")})
    assert "EDGEKIT_DATA" in caught.value.hint
    assert locate(archive) is None


def test_no_network_is_told_as_such(archive):
    class Down(urllib.request.HTTPSHandler):
        def https_open(self, req):
            raise urllib.error.URLError(OSError(101, "Network is unreachable"))

    with pytest.raises(DataError, match=r"cannot be downloaded: .*Network is unreachable"):
        fetch(archive, opener=https_opener(Down()))


def test_a_connection_that_breaks_is_no_archive(archive):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            data = super().read(10)
            if not data:
                raise ConnectionResetError(104, "Connection reset by peer")
            return data

    with pytest.raises(DataError, match="Connection reset by peer"):
        fetch_from(archive, {archive.url: (200, {}, Breaking(packed()))})
    assert locate(archive) is None


def test_an_answer_shorter_than_promised_is_refused(archive):
    body = packed()
    headers = {"Content-Length": str(len(body) + 1)}
    with pytest.raises(DataError, match=f"{len(body):,} of {len(body) + 1:,} bytes came"):
        fetch_from(archive, {archive.url: (200, headers, body)})


def test_an_endless_answer_is_cut_off(archive, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 1_000_000)

    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return bytes(size)

    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        fetch_from(archive, {archive.url: (200, {}, Endless())})


def test_other_content_than_that_of_the_commit_is_refused(archive):
    body = packed({**FILES, "a.txt": b"evil"})
    with pytest.raises(DataError, match="its content has another digest"):
        fetch_from(archive, {archive.url: (200, {}, body)})
    assert locate(archive) is None
