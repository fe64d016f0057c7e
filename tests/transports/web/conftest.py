from __future__ import annotations

import http.client
import json
import struct

import pytest

from edgekit.errors import DeviceError
from edgekit.transports.web.exchange import Exchange
from edgekit.transports.web.server import SECRET_HEADER, PageServer


class Talking:
    """A browser's requests, by hand: to a server, with or without the owner's secret."""

    def __init__(self, url):
        self.host, _, path = url.removeprefix("http://").partition("/")
        self.base = "/" + path
        self.secret = ""

    def request(self, name, *, method="GET", body=None, headers=None, path=None, host=None):
        connection = http.client.HTTPConnection(self.host, timeout=20)
        connection.putrequest(method, path or self.base + name, skip_host=True)
        connection.putheader("Host", host or self.host)
        sent = {SECRET_HEADER: self.secret, **(headers or {})}
        if body is not None and "Content-Length" not in sent:
            sent["Content-Length"] = str(len(body))
        for key, value in sent.items():
            connection.putheader(key, value)
        connection.endheaders()
        if body:
            connection.send(body)
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def claim(self, load="one"):
        status, _, body = self.request(
            "claim", method="POST", body=json.dumps({"load": load}).encode()
        )
        if status == 200:
            self.secret = json.loads(body)["secret"]
        return status

    def answer(self, number, document, raw=b""):
        header = json.dumps(document).encode()
        return self.request(
            f"answer?number={number}",
            method="POST",
            body=struct.pack("<I", len(header)) + header + raw,
        )[0]


@pytest.fixture
def exchange():
    made = Exchange(away_s=0.2, whose="the test")
    yield made
    made.end(DeviceError("the test is over"))


@pytest.fixture
def browser(exchange):
    server = PageServer(exchange)
    yield Talking(server.url)
    server.close()
