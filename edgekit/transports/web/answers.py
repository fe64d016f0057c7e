"""What a page says about itself and its model, checked: it is a stranger's browser.

Also decides what a GPU is: a software one serves correctness, and its time is nobody's latency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields
from edgekit.tensor import TensorInfo

_LONGEST_NS = 10**15
_MOST_TENSORS = 256
_SOFTWARE = ("swiftshader", "llvmpipe", "lavapipe", "softpipe", "software", "basic render", "warp")
_BROWSERS = (
    ("Edge", r"Edg/([\d.]+)"),
    ("Samsung Internet", r"SamsungBrowser/([\d.]+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/([\d.]+)"),
    ("Chrome", r"(?:Chrome|CriOS)/([\d.]+)"),
    ("Safari", r"Version/([\d.]+).*Safari/"),
)


@dataclass(frozen=True, slots=True)
class About:
    """What a page says about the browser it is shown in.

    Attributes:
        environment: For the measurement.
        threads: Threads that wasm may have there.
        secure: Whether the address is one a browser trusts: without that no WebGPU.
        gpu: Name of the WebGPU adapter; None if there is none.
        software: Whether that adapter is a program on the processor.
    """

    environment: Mapping[str, Any]
    threads: int
    secure: bool
    gpu: str | None
    software: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a page says about a model it has loaded.

    Attributes:
        load_ns: From the file's bytes to a model that can be called.
        inputs: In the runtime's order.
        outputs: Likewise.
        facts: How the runtime computes, for the environment.
    """

    load_ns: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    facts: Mapping[str, Any]


def about(data: Any) -> About:
    """The facts of a page.

    Raises:
        DeviceError: A key is missing, unknown, of the wrong type or out of bounds.
    """
    fields = Fields(data, "the page's facts", DeviceError)
    agent = fields.text("user_agent", longest=1000)
    isolated = fields.flag("isolated")
    secure = fields.flag("secure")
    cores = fields.optional_integer("hardware_concurrency", low=1, high=4096)
    gpu, software = _gpu(fields.optional_mapping("gpu"))
    battery = fields.optional_mapping("battery")
    environment = {
        "browser": fields.optional_text("browser") or browser_name(agent),
        "user_agent": agent,
        "device_model": fields.optional_text("model"),
        "device_platform": fields.optional_text("platform"),
        "hardware_concurrency": cores,
        "device_memory_gib": fields.optional_number("memory_gib", high=1e6),
        "cross_origin_isolated": isolated,
        "secure_context": secure,
        "clock_resolution_ns": fields.integer("resolution_ns", low=1, high=_LONGEST_NS),
        "visibility": fields.text("visibility", longest=40),
        "screen": fields.optional_text("screen"),
        "gpu": gpu,
        "gpu_is_software": software if gpu else None,
        **_power(battery),
    }
    fields.done()
    return About(environment, (cores or 1) if isolated else 1, secure, gpu, software)


def loaded(data: Any) -> Loaded:
    """What a page answers when it has loaded a model. Raises as `about`."""
    fields = Fields(data, "the page's model", DeviceError)
    found = Loaded(
        load_ns=fields.integer("load_ns", high=_LONGEST_NS),
        inputs=_tensors(fields, "inputs"),
        outputs=_tensors(fields, "outputs"),
        facts=fields.mapping("facts", {}),
    )
    fields.done()
    return found


def browser_name(user_agent: str) -> str | None:
    """Browser and version as its user agent tells them: `Chrome 150.0.0.0`."""
    for name, pattern in _BROWSERS:
        if found := re.search(pattern, user_agent):
            return f"{name} {found[1][:40]}"
    return None


def _gpu(data: Mapping[str, Any] | None) -> tuple[str | None, bool]:
    """The adapter's name, and whether it is a software one."""
    if data is None:
        return None, False
    fields = Fields(data, "the page's GPU", DeviceError)
    parts = [
        fields.text(key, "", longest=200)
        for key in ("vendor", "architecture", "device", "description")
    ]
    fallback = fields.flag("fallback")
    fields.done()
    name = " ".join(dict.fromkeys(part for part in parts if part)) or "unnamed"
    return name, fallback or any(mark in name.lower() for mark in _SOFTWARE)


def _power(data: Mapping[str, Any] | None) -> dict[str, Any]:
    if data is None:
        return {}
    fields = Fields(data, "the page's battery", DeviceError)
    found = {
        "power_source": "mains" if fields.flag("charging") else "battery",
        "battery_level": fields.number("level", high=1.0),
    }
    fields.done()
    return found


def _tensors(fields: Fields, key: str) -> tuple[TensorInfo, ...]:
    entries = fields.items(key, least=1, most=_MOST_TENSORS)
    return tuple(TensorInfo.from_json(entry, DeviceError) for entry in entries)
