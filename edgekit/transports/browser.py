"""The system's Chromium as a device: a fresh browser process for every job and every session.

Nothing of an earlier one is in its memory, caches or figures, and what a process happens to get is
drawn anew. Several of a round are open side by side; they compute in turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgekit.agent import machine
from edgekit.errors import DeviceError
from edgekit.transports.web.chromium import Chromium, find_chromium, flags
from edgekit.transports.web.exchange import Exchange
from edgekit.transports.web.files import runtime_versions
from edgekit.transports.web.opened import Page
from edgekit.transports.web.paging import BACKENDS, SOFTWARE_GPU, PageTransport
from edgekit.transports.web.server import PageServer

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

_START_S = 60.0
_AWAY_S = 3.0
# The interpreter's and this process's own facts, which are not the browser's.
_NOT_ITS_OWN = ("affinity", "python", "numpy")


class BrowserTransport(PageTransport):
    """Jobs in Chromium on this machine.

    Args:
        executable: Path or name; None for the first that is found.
        backend: "wasm" or "webgpu", for jobs that name no delegate.
        software_gpu: Have WebGPU computed by SwiftShader: outputs, and no latency.
        headless: Without a window.
        named_in: The file that names the executable, for complaints.
    """

    def __init__(
        self,
        executable: str | None = None,
        *,
        backend: str = "wasm",
        software_gpu: bool = False,
        headless: bool = True,
        named_in: object = None,
    ) -> None:
        super().__init__(backend)
        self._executable = executable
        self._software_gpu = software_gpu
        self._headless = headless
        self._named_in = named_in
        if backend == "webgpu" and software_gpu:
            self.no_latency = f"SwiftShader: {SOFTWARE_GPU}"

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> BrowserTransport:
        """What the table `[browser]` of the device's file says."""
        fields = profile.option_fields()
        transport = cls(
            fields.optional_text("executable"),
            backend=fields.text("backend", "wasm", choices=BACKENDS),
            software_gpu=fields.flag("software_gpu", False),
            headless=fields.flag("headless", True),
            named_in=profile.path,
        )
        fields.done()
        return transport

    @contextmanager
    def _page(self, backend: str) -> Iterator[Page]:
        runtime_versions()
        executable = find_chromium(self._executable, named_in=self._named_in)
        exchange = Exchange(away_s=_AWAY_S, whose="Chromium")
        server = PageServer(exchange)
        chosen = flags(
            backend,
            software_gpu=self._software_gpu,
            headless=self._headless,
            folder="{folder}",
        )
        try:
            browser = Chromium(executable, [*chosen, server.url], exchange.end)
            try:
                exchange.wait_for_page(_START_S, hint=f"does it start? {executable} --headless")
                yield Page(exchange, _this_machine)
            finally:
                browser.close()
        finally:
            exchange.end(DeviceError("this page is no longer needed"))
            server.close()

    def _refuse_latency_of(self, backend: str) -> None:
        if backend == "webgpu" and self._software_gpu:
            raise DeviceError(
                f"no latency from here: SwiftShader: {SOFTWARE_GPU}",
                hint="edgekit eval runs artifacts there; software_gpu = false for a real GPU",
            )


def _this_machine() -> Mapping[str, Any]:
    """What this machine says about itself: the browser runs on it."""
    found = machine.describe()
    return {key: value for key, value in found.items() if key not in _NOT_ITS_OWN}
