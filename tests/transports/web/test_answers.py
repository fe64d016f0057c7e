from __future__ import annotations

import pytest

from edgekit.errors import DeviceError
from edgekit.transports.web.answers import about, browser_name

FACTS = {
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 Safari/537.36",
    "browser": None,
    "model": None,
    "platform": None,
    "hardware_concurrency": 8,
    "memory_gib": 8,
    "isolated": True,
    "secure": True,
    "visibility": "visible",
    "screen": "390 × 844",
    "battery": {"level": 0.5, "charging": False},
    "resolution_ns": 5000,
    "gpu": None,
}


def gpu(**changes):
    empty = dict.fromkeys(("vendor", "architecture", "device", "description"), "")
    return {**FACTS, "gpu": {**empty, "fallback": False, **changes}}


@pytest.mark.parametrize(
    ("changes", "software"),
    [
        ({"vendor": "google", "architecture": "swiftshader"}, True),
        ({"description": "llvmpipe (LLVM 15.0.6, 256 bits)"}, True),
        ({"vendor": "microsoft", "description": "Microsoft Basic Render Driver"}, True),
        ({"vendor": "nvidia", "architecture": "hopper", "fallback": True}, True),
        ({"vendor": "nvidia", "architecture": "hopper"}, False),
        ({"vendor": "qualcomm", "architecture": "adreno-7xx"}, False),
        ({}, False),
    ],
)
def test_a_gpu_in_software_is_recognised(changes, software):
    found = about(gpu(**changes))
    assert found.software is software
    assert found.environment["gpu_is_software"] is software
    assert found.gpu


def test_a_browser_without_a_gpu_has_none():
    found = about(FACTS)
    assert (found.gpu, found.software, found.environment["gpu"]) == (None, False, None)


def test_threads_need_shared_memory():
    assert about(FACTS).threads == 8
    assert about({**FACTS, "isolated": False}).threads == 1


def test_power_is_told_where_the_browser_tells_it():
    assert about(FACTS).environment["power_source"] == "battery"
    assert "power_source" not in about({**FACTS, "battery": None}).environment


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resolution_ns", 0),
        ("resolution_ns", "5"),
        ("isolated", "yes"),
        ("user_agent", "x" * 2000),
        ("gpu", "fast"),
        ("battery", {"level": 7, "charging": True}),
        ("hardware_concurrency", -1),
        ("extra", 1),
    ],
)
def test_facts_of_another_kind_are_refused(key, value):
    with pytest.raises(DeviceError, match=key):
        about({**FACTS, key: value})


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FACTS["user_agent"], "Chrome 150.0.0.0"),
        ("Mozilla/5.0 (iPhone) Version/26.1 Mobile/15E148 Safari/604.1", "Safari 26.1"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Firefox/140.0", "Firefox 140.0"),
        ("Mozilla/5.0 Chrome/150.0.0.0 Mobile Safari/537.36 EdgA Edg/150.1", "Edge 150.1"),
        ("curl/8", None),
    ],
)
def test_a_browser_is_named_by_its_user_agent(agent, name):
    assert browser_name(agent) == name
