"""Any browser on the local network as a device: it opens a link, and computes.

The link holds a random token and is shown once, with a QR code; the first browser that opens it
owns the page, for as long as the transport lasts. Each job and session gets a fresh worker there. A
phone may lock and come back.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import __version__
from edgekit.errors import DeviceError, install_command
from edgekit.progress import notice
from edgekit.transports.web.exchange import Exchange
from edgekit.transports.web.files import runtime_versions
from edgekit.transports.web.opened import Page
from edgekit.transports.web.paging import BACKENDS, PageTransport
from edgekit.transports.web.server import PageServer

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

_WAIT_S = 300.0
_AWAY_S = 180.0
_GOODBYE_S = 2.0
# Documentation's own network: asking for the way there sends nothing.
_SOMEWHERE = ("192.0.2.1", 9)


class PhoneTransport(PageTransport):
    """Jobs in a browser that opens our page.

    Args:
        backend: "wasm" or "webgpu", for jobs that name no delegate.
        address: To bind to; None for this machine's own on its network.
        port: 0 for a free one.
        wait_s: Seconds to wait for a browser.
        away_s: Seconds it may be out of reach, locked in a pocket, before it counts as lost.
        certificate: PEM files of certificate and key, for https.
    """

    unasked = "it answers when a command needs it: somebody then opens a link"

    def __init__(
        self,
        *,
        backend: str = "wasm",
        address: str | None = None,
        port: int = 0,
        wait_s: float = _WAIT_S,
        away_s: float = _AWAY_S,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__(backend)
        self._address, self._port = address, port
        self._wait_s, self._away_s = wait_s, away_s
        self._certificate = certificate
        self._opening = threading.Lock()
        self._server: PageServer | None = None
        self._exchange: Exchange | None = None

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> PhoneTransport:
        """What the table `[phone]` of the device's file says."""
        fields = profile.option_fields()
        certificate, key = fields.optional_text("certificate"), fields.optional_text("key")
        if (certificate is None) != (key is None):
            raise fields.fail("certificate", "https needs both: certificate and key, PEM files")
        address = fields.optional_text("address")
        if address is not None and not _is_address(address):
            raise fields.fail("address", f"{address!r} is no IP address of this machine")
        transport = cls(
            backend=fields.text("backend", "wasm", choices=BACKENDS),
            address=address,
            port=fields.integer("port", 0, high=65_535),
            wait_s=fields.number("wait_s", _WAIT_S, low=1.0, high=86_400.0),
            away_s=fields.number("away_s", _AWAY_S, low=1.0, high=86_400.0),
            certificate=(_beside(profile, certificate), _beside(profile, key))
            if certificate and key
            else None,
        )
        fields.done()
        return transport

    @contextmanager
    def _page(self, backend: str) -> Iterator[Page]:
        runtime_versions()
        with self._opening:
            exchange = self._exchange or self._open()
        yield Page(exchange, lambda: {"edgekit": __version__}, returns=True)

    def close(self) -> None:
        """Tell the page that it is over, and stop the server."""
        if self._exchange is not None:
            self._exchange.end(DeviceError("edgekit has closed the page"))
            self._exchange.wait_until_told(_GOODBYE_S)
        if self._server is not None:
            self._server.close()
            self._server = None

    def _open(self) -> Exchange:
        exchange = Exchange(away_s=self._away_s, whose="the phone")
        server = PageServer(
            exchange,
            address=self._address or own_address(),
            port=self._port,
            certificate=self._certificate,
        )
        notice(f"{qr_code(server.url)}open {server.url}\nwaiting for a browser on this network")
        try:
            exchange.wait_for_page(
                self._wait_s,
                hint="is it in the same network? address and port in the table [phone], wait_s",
            )
        except BaseException:
            exchange.end(DeviceError("nobody came"))
            server.close()
            raise
        self._server, self._exchange = server, exchange
        return exchange


def own_address() -> str:
    """This machine's address on the network that leads elsewhere; loopback where none does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def qr_code(text: str) -> str:
    """A QR code of blocks for a terminal; where segno is not installed, a line that says so."""
    try:
        import segno
    except ModuleNotFoundError:
        return f"(a QR code of it: {install_command('web')})\n"
    drawn = io.StringIO()
    segno.make(text, error="l").terminal(drawn, compact=True)
    return drawn.getvalue() + "\n"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _beside(profile: DeviceProfile, name: str) -> Path:
    """A relative file is meant from the profile's folder."""
    path = Path(name).expanduser()
    return path if path.is_absolute() or profile.path is None else profile.path.parent / path
