"""Which GPU computes, as LiteRT writes it to stderr."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.agent.runtimes.litert_compiled import Adapter, adapter_of
from edgekit.agent.runtimes.words import caught

LINE = (
    "I0000 00:00:1795326681.898562    6443 environment.cc:532] Selected adapter: {}, backend={}\n"
)


@pytest.mark.parametrize(
    ("name", "end", "software"),
    [
        (
            "SwiftShader Device (Subzero), arch=swiftshader, vendor=google",
            "Vulkan, adapterType=CPU / Software",
            True,
        ),
        ("llvmpipe (LLVM 15.0.6, 256 bits), arch=, vendor=mesa", "Vulkan", True),
        ("Some Device, arch=x, vendor=y", "Vulkan, adapterType=CPU", True),
        ("Microsoft Basic Render Driver, arch=, vendor=microsoft", "D3D12", True),
        (
            "NVIDIA H200, arch=hopper, vendor=nvidia",
            "Vulkan, adapterType=Discrete GPU",
            False,
        ),
        ("Apple M4, arch=metal-3, vendor=apple", "Metal, adapterType=Integrated GPU", False),
    ],
)
def test_a_gpu_that_a_processor_plays_is_told_from_one_that_is_there(name, end, software):
    found = adapter_of("INFO: something\n" + LINE.format(name, end) + "INFO: more")
    backend = end.partition(",")[0]
    assert found == Adapter(name.partition(", arch=")[0], backend, software)


@given(st.text(max_size=300))
def test_words_of_any_kind_do_no_harm(said):
    assert adapter_of(said) is None or "Selected adapter: " in said
    found = adapter_of(f"Selected adapter: x{said}, arch=a, backend=Vulkan")
    assert found is None or found.name.isprintable()


def test_what_native_code_writes_to_stderr_is_kept_from_it(capfd):
    with caught() as words:
        os.write(2, b"said by a library \xff\n")
    os.write(2, b"after\n")
    assert words == ["said by a library \N{REPLACEMENT CHARACTER}\n"]
    assert capfd.readouterr().err == "after\n"


def test_it_is_kept_although_something_is_raised(capfd):
    def fail():
        os.write(2, b"why\n")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), caught() as words:
        fail()
    assert words == ["why\n"]
