"""Time of each op, as the three runtimes tell it."""

from __future__ import annotations

import ctypes
import math
import struct
from pathlib import Path

import pytest

from edgekit.agent.runtimes import litert_profiler, runtime_class
from edgekit.agent.runtimes.base import LoadedModel
from edgekit.agent.timing import random_inputs
from edgekit.passes import OpTimes, ops_document, parse

WARMUP, CALLS = 3, 20


def ops_of(runtime, path, delegate=None):
    model = runtime_class(runtime)().load(path, threads=1, delegate=delegate)
    model(random_inputs(model.inputs))
    return model.ops(WARMUP, CALLS)


@pytest.fixture(params=["litert", "onnxruntime", "openvino"])
def profiled(request, tiny_models):
    """Ops of a model that is large enough for clocks of a microsecond."""
    files = {
        "litert": tiny_models / "busy.tflite",
        "onnxruntime": tiny_models / "float.onnx",
        "openvino": tiny_models / "float.xml",
    }
    return ops_of(request.param, files[request.param])


def test_every_op_is_told_with_its_share_of_the_whole(profiled):
    found = profiled
    assert parse("ops", found) == found
    assert math.fsum(op["share"] for op in found["ops"]) == pytest.approx(1)
    assert found["total_ms"] == pytest.approx(sum(op["ms"] for op in found["ops"]))
    assert found["calls"] == CALLS
    assert {op["calls"] for op in found["ops"]} == {CALLS}
    lengths = [op["ms"] for op in found["ops"]]
    assert lengths == sorted(lengths, reverse=True)
    assert found["call_ms"] > 0


def test_onnxruntime_tells_the_ops_of_the_file(tiny_models):
    found = ops_of("onnxruntime", tiny_models / "float.onnx")
    # Two products and a flattening, whichever of such short ones takes longest; the runtime may
    # have fused what follows.
    kinds = [op["kind"] for op in found["ops"]]
    assert sum(kind in ("MatMul", "FusedMatMul", "Gemm") for kind in kinds) == 2
    assert "Flatten" in kinds


def names_of_one_call(path, *, with_xnnpack):
    """Name → kind of each op that LiteRT tells of in one call, however short it is."""
    package = Path(runtime_class("litert")()._package.__file__).parent
    library = ctypes.CDLL(str(package / litert_profiler._LIBRARY))
    session = litert_profiler.Session(library, path, 1, with_xnnpack=with_xnnpack)
    session.reset()
    session.run()
    found = {}
    litert_profiler.add_ops(found, session.events())
    return {name: op.kind for name, op in found.items()}


def test_litert_tells_what_xnnpack_ran_and_what_it_left(tiny_models):
    names = names_of_one_call(tiny_models / "islands.tflite", with_xnnpack=True)
    own = [name for name in names if name.startswith("node ")]
    assert [names[name] for name in own] == ["CUMSUM"]
    # Two partitions around it, whose ops both begin with 0.
    assert {"XNNPACK 0", "XNNPACK 0 of part 2"} <= set(names)


def test_litert_without_its_delegate_tells_its_own_kernels(tiny_models):
    names = names_of_one_call(tiny_models / "float.tflite", with_xnnpack=False)
    assert "CONV_2D" in names.values()
    assert all(name.startswith("node ") for name in names)


def test_ops_below_the_clock_of_a_profiler_are_no_zeros():
    found = ops_document(
        {"a": OpTimes("Conv", 5, [0.0] * 5)},
        calls=5,
        call_ms=0.01,
        resolution_ms=0.001,
        evidence="",
    )
    assert found == {"unavailable": "every op is shorter than the profiler's clock can tell (1 µs)"}


def test_a_runtime_without_a_profiler_says_so():
    class Silent(LoadedModel):
        set_inputs = invoke = get_outputs = placement = None

    Silent.__abstractmethods__ = frozenset()
    assert Silent().ops(1, 1) == {"unavailable": "edgekit knows no profiler of this runtime"}


def test_a_package_without_the_profilers_library_is_unavailable(tiny_models, tmp_path):
    found = litert_profiler.profile_ops(
        tmp_path,
        tiny_models / "float.tflite",
        {},
        threads=1,
        with_xnnpack=True,
        warmup=1,
        calls=1,
    )
    assert found["unavailable"].startswith("LiteRT's profiler: ")


def test_inputs_that_are_not_the_files_are_not_written(tiny_models):
    package = runtime_class("litert")()._package
    found = litert_profiler.profile_ops(
        Path(package.__file__).parent,
        tiny_models / "float.tflite",
        {},
        threads=1,
        with_xnnpack=True,
        warmup=1,
        calls=1,
    )
    assert "takes an input" in found["unavailable"]


@pytest.mark.parametrize("size", [88, 104])
def test_the_size_of_an_event_is_found_from_what_is_in_it(size):
    name = b"CONV\0"
    text = ctypes.create_string_buffer(name)
    event = struct.pack("=QiiQQ", ctypes.addressof(text), 8, 0, 1000, 17)
    event = event.ljust(size - 24, b"\0") + struct.pack("=QQii", 5, 0, 2, 0)
    raw = event * 3 + b"\0" * 400
    assert litert_profiler.read_events(raw, 3) == [("CONV", 8, 17, 5)] * 3


def test_events_of_an_unknown_form_are_not_read():
    with pytest.raises(litert_profiler.ProfilerAbsent, match="a form that this edgekit"):
        litert_profiler.read_events(b"\xff" * 1000, 3)


def test_a_file_with_open_sizes_is_unavailable_and_says_why(tiny_models):
    found = ops_of("litert", tiny_models / "open.tflite")
    assert found == {"unavailable": "LiteRT's profiler takes no file with open sizes"}
