"""HTTP around an exchange: a page's files, and the way of steps, bodies and answers.

Everything lies below a random token; without it nothing is answered. Only files that were listed
when the server began can be asked for, so no path leads anywhere else. What may be sent here is
bounded before it is read. Knows no models and no jobs.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

from edgekit.errors import DeviceError, system_reason
from edgekit.transports.web.exchange import Exchange
from edgekit.transports.web.files import TYPES, served_files

SECRET_HEADER = "X-Edgekit-Page"  # noqa: S105  the name of a header
_POLL_S = 20.0
_IDLE_S = 75.0
_LONGEST_CLAIM = 4096
_LARGEST_PIECE = 1 << 20

# The page loads nothing from elsewhere, and whatever it is made to show is no script. Compiling
# wasm is what it is for.
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "Cache-Control": "no-store",
}
# Shared memory, and so wasm threads and a clock of microseconds, come with these. Browsers ignore
# them where the address is not trustworthy, and complain.
_ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class PageServer:
    """A server for one page.

    Args:
        exchange: What is asked, and where answers go.
        address: To bind to.
        port: 0 for a free one.
        certificate: PEM files of certificate and key, for https.

    Raises:
        DeviceError: The address cannot be had, or the certificate cannot be read.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        secure = certificate is not None
        handler = type(
            "Handler",
            (_Handler,),
            {
                "exchange": exchange,
                "files": served_files(),
                "isolated": secure or address in ("127.0.0.1", "::1", "localhost"),
            },
        )
        kind = _Server6 if ":" in address else _Server
        try:
            self._server = kind((address, port), handler)
        except OSError as error:
            raise DeviceError(
                f"no server at {address}, port {port}: {system_reason(error)[1]}",
                hint="another address or port, in the device's TOML file",
            ) from error
        if certificate is not None:
            try:
                self._server.socket = _secured(self._server.socket, *certificate)
            except DeviceError:
                self._server.server_close()
                raise
        host = f"[{address}]" if ":" in address else address
        where = f"{host}:{self._server.server_address[1]}"
        handler.host = where  # type: ignore[attr-defined]
        self.url = f"{'https' if secure else 'http'}://{where}/{quote(exchange.token)}/"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        ).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection is nothing to tell of."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    exchange: ClassVar[Exchange]
    files: ClassVar[dict[str, Path]]
    isolated: ClassVar[bool]
    host: ClassVar[str]

    protocol_version = "HTTP/1.1"
    server_version = "edgekit"
    sys_version = ""
    timeout = _IDLE_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is printed here."""

    def do_GET(self) -> None:
        if (name := self._name()) is None:
            return
        asked = {"next": self._next, "body": self._body, "file": self._file, "alive": self._alive}
        if name in asked:
            if self._is_owner():
                asked[name]()
        elif name in self.files:
            path = self.files[name]
            self._send_file(path, TYPES[path.suffix])
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        if (name := self._name()) is None:
            return
        if name == "claim":
            self._claim()
        elif name == "answer":
            if self._is_owner():
                self._answer()
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _name(self) -> str | None:
        """What is asked for below the token; None if it was refused."""
        _, token, *rest = (*urlsplit(self.path).path.split("/", 2), "")
        right = secrets.compare_digest(token.encode(), self.exchange.token.encode())
        # Another name for this address would be a page of somebody else's that was led here.
        if not right or self.headers.get("Host") != self.host:
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        return rest[0]

    def _is_owner(self) -> bool:
        if self.exchange.owns(self.headers.get(SECRET_HEADER, "")):
            return True
        self._refuse(HTTPStatus.FORBIDDEN)
        return False

    def _claim(self) -> None:
        data = self._read(_LONGEST_CLAIM)
        if data is None:
            return
        try:
            load = json.loads(data)["load"]
        except (ValueError, KeyError, TypeError, RecursionError):
            load = None
        if not isinstance(load, str) or not 0 < len(load) <= 100:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        secret = self.exchange.claim(self.headers.get(SECRET_HEADER, ""), load)
        if secret is None:
            self._refuse(HTTPStatus.CONFLICT)
        else:
            self._send_json({"secret": secret})

    def _next(self) -> None:
        asked = self.exchange.next(self._number("after"), _POLL_S)
        if asked is not None:
            self._send_json({"number": asked.number, "step": asked.step, "bytes": len(asked.body)})
        elif self.exchange.ended:
            self._send_json({"over": "edgekit is done with this page"})
            self.exchange.told()
        else:
            self._send(HTTPStatus.NO_CONTENT)

    def _body(self) -> None:
        asked = self.exchange.asked(self._number("number"))
        if asked is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self._send(HTTPStatus.OK, asked.body, "application/octet-stream")

    def _file(self) -> None:
        path = self.exchange.files.get(self._query("name"))
        if path is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self._send_file(path, "application/octet-stream")

    def _answer(self) -> None:
        number = self._number("number")
        data = self._read(self.exchange.room(number))
        if data is not None:
            known = self.exchange.answered(number, data)
            self._send(HTTPStatus.NO_CONTENT if known else HTTPStatus.NOT_FOUND)

    def _alive(self) -> None:
        """A connection that the page holds open: when it ends, the page has."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self._send_headers("text/plain", None)
        self.exchange.connected()
        try:
            self.wfile.write(b"edgekit\n")
            self.wfile.flush()
            self.connection.settimeout(1.0)
            while not self.exchange.ended:
                with suppress(TimeoutError):
                    if not self.connection.recv(1):
                        return
        finally:
            self.exchange.disconnected()

    def _query(self, key: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(key, [""])[0]

    def _number(self, key: str) -> int:
        text = self._query(key)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0

    def _read(self, most: int) -> bytes | None:
        """The request's body; None if it was refused unread."""
        text = self.headers.get("Content-Length", "")
        length = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        if length < 0 or length > most:
            self.close_connection = True
            too_long = length > most
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_long else HTTPStatus.LENGTH_REQUIRED
            )
            return None
        data = self.rfile.read(length)
        return data if len(data) == length else None

    def _send_json(self, document: dict[str, Any]) -> None:
        self._send(HTTPStatus.OK, json.dumps(document).encode(), "application/json")

    def _send_file(self, path: Path, kind: str) -> None:
        try:
            with path.open("rb") as stream:
                self.send_response(HTTPStatus.OK)
                self._send_headers(kind, path.stat().st_size)
                while piece := stream.read(_LARGEST_PIECE):
                    self.wfile.write(piece)
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # a body that was not read may follow
        self._send(status)

    def _send(self, status: HTTPStatus, data: bytes = b"", kind: str = "text/plain") -> None:
        self.send_response(status)
        self._send_headers(kind, None if status is HTTPStatus.NO_CONTENT else len(data))
        self.wfile.write(data)

    def _send_headers(self, kind: str, length: int | None) -> None:
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in {**_HEADERS, **(_ISOLATION if self.isolated else {})}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def _secured(plain: socket.socket, certificate: Path, key: Path) -> socket.socket:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise DeviceError(
            f"{certificate}, {key}: no certificate and key: {error}",
            hint="certificate and key, PEM files, in the table [phone] of the device's TOML file",
        ) from error
    return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
