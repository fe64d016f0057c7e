"""Which provider is meant, and on which device: onnxruntime and its plug-ins are doubles here."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from edgekit.agent.runtimes import providers
from edgekit.agent.runtimes.providers import AbsentError, find_provider
from edgekit.errors import DeviceError

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


class Package:
    """What is asked of onnxruntime: what it lists, and devices of plug-ins once registered."""

    def __init__(self, *listed, devices=()):
        self._listed = [*listed, "CPUExecutionProvider"]
        self._devices = devices
        self.registered = []

    def get_available_providers(self):
        return list(self._listed)

    def register_execution_provider_library(self, name, library):
        assert name not in self.registered, "a library can be registered once"
        self.registered.append(name)

    def get_ep_devices(self):
        return [one for one in self._devices if one.ep_name in self.registered]


def device(kind, name="QNNExecutionProvider"):
    told = SimpleNamespace(type=SimpleNamespace(name=kind), vendor="Somebody")
    return SimpleNamespace(ep_name=name, device=told)


@pytest.fixture
def plug_in(monkeypatch):
    """An installed package that brings a provider."""

    def install(module, name):
        made = ModuleType(module)
        made.get_ep_name = lambda: name
        made.get_library_path = lambda: f"/lib/{module}.so"
        monkeypatch.setitem(sys.modules, module, made)

    monkeypatch.setattr(providers, "_registered", set())
    # Whatever is really installed beside onnxruntime is of no account here.
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", None)
    monkeypatch.setitem(sys.modules, "onnxruntime_ep_webgpu", None)
    return install


@pytest.mark.parametrize("name", ["cuda", "CUDA", CUDA])
def test_a_provider_has_several_names(name, plug_in):
    assert find_provider(Package(CUDA), name, {}).name == CUDA


def test_settings_go_to_the_provider_as_text_and_flags_as_digits(plug_in):
    found = find_provider(Package(CUDA), "cuda", {"device_id": 1, "use_tf32": False, "mode": "x"})
    assert found.options == {"device_id": "1", "use_tf32": "0", "mode": "x"}


def test_cuda_helps_tensorrt_only_where_it_is_allowed(plug_in):
    package = Package(TENSORRT, CUDA)
    assert find_provider(package, "tensorrt", {}).helpers == ()
    allowed = find_provider(package, "tensorrt", {"allow_cuda": True, "device_id": 0})
    assert allowed.helpers == (CUDA,)
    assert allowed.options == {"device_id": "0"}
    with pytest.raises(DeviceError, match="allow_cuda: 'yes' is no flag"):
        find_provider(package, "tensorrt", {"allow_cuda": "yes"})


def test_a_plug_in_is_registered_once_and_its_best_device_is_taken(plug_in):
    plug_in("onnxruntime_qnn", "QNNExecutionProvider")
    package = Package(devices=[device("CPU"), device("NPU"), device("GPU")])
    for _ in range(2):
        found = find_provider(package, "qnn", {})
        assert found.devices[0].device.type.name == "NPU"
        assert found.facts == {"provider": found.name, "provider_device": "NPU Somebody"}
    assert package.registered == ["QNNExecutionProvider"]


def test_another_device_of_a_plug_in_has_to_be_asked_for(plug_in):
    plug_in("onnxruntime_ep_webgpu", "WebGpuExecutionProvider")
    package = Package(devices=[device(kind, "WebGpuExecutionProvider") for kind in ("GPU", "CPU")])
    found = find_provider(package, "webgpu", {"device_type": "cpu", "level": 2})
    assert found.devices[0].device.type.name == "CPU"
    assert found.options == {"level": "2"}
    with pytest.raises(AbsentError) as caught:
        find_provider(package, "webgpu", {"device_type": "npu"})
    assert caught.value.details == ("its plug-in finds no such device",)


def test_a_plug_in_without_a_device_is_absent_although_onnxruntime_lists_it(plug_in):
    plug_in("onnxruntime_ep_webgpu", "WebGpuExecutionProvider")
    for _ in range(2):
        with pytest.raises(AbsentError) as caught:
            find_provider(Package("WebGpuExecutionProvider"), "webgpu", {})
    assert caught.value.present == ("cpu", "webgpu")


@pytest.mark.parametrize("name", ["npu", "../qnn", "os", "onnxruntime.evil", ""])
def test_what_nobody_brings_is_absent(name, plug_in):
    with pytest.raises(AbsentError) as caught:
        find_provider(Package(CUDA), name, {})
    assert caught.value.present == ("cpu", "cuda")


def test_qualcomms_libraries_are_a_simulator_on_a_pcs_processor(plug_in, monkeypatch):
    plug_in("onnxruntime_qnn", "QNNExecutionProvider")
    package = Package(devices=[device("NPU")])
    for machine, simulated in (("x86_64", True), ("AMD64", True), ("aarch64", False)):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        found = find_provider(package, "qnn", {})
        assert (found.no_latency is not None) is simulated
        assert found.options == {"backend_type": "htp"}
