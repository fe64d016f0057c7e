"""What a device must have for a delegate to be present, in a person's words.

Facts only, by runtime and delegate. Does not look whether anything is there: the runtimes do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_OWN = "an environment of its own (`python` in the device's TOML file)"

NEEDED: Mapping[str, Mapping[str, str]] = {
    "litert": {
        "gpu": "a GPU with its Vulkan driver, and libvulkan.so.1 (Debian: libvulkan1, and "
        "mesa-vulkan-drivers for AMD and Intel); a software GPU shows outputs, no latency",
        "npu": "an NPU, its vendor's driver, and its dispatch library beside ai-edge-litert "
        "(dispatch_library_path in [runtime.options])",
        "edgetpu": "libedgetpu.so.1 of Coral: its path is the delegate, with the runtime "
        "tflite-runtime",
    },
    "tflite-runtime": {
        "edgetpu": "libedgetpu.so.1 of Coral: its path is the delegate",
    },
    "onnxruntime": {
        "cuda": f"an NVIDIA GPU with its driver, CUDA and cuDNN, and onnxruntime-gpu in {_OWN}",
        "tensorrt": "an NVIDIA GPU with its driver, CUDA, cuDNN and TensorRT, and onnxruntime-gpu "
        f"in {_OWN}",
        "qnn": "a Snapdragon with Hexagon, and onnxruntime-qnn beside onnxruntime; on x86-64 it "
        "brings a simulator, for outputs",
        "openvino": "onnxruntime-ep-openvino beside onnxruntime, and a processor of Intel's; for "
        "its GPU or NPU, Intel's driver",
        "webgpu": "onnxruntime-ep-webgpu beside onnxruntime, and a GPU with its driver",
        "coreml": "macOS, where onnxruntime has it",
        "directml": f"Windows, and onnxruntime-directml in {_OWN}",
        "dml": f"Windows, and onnxruntime-directml in {_OWN}",
        "migraphx": f"an AMD GPU with ROCm, and onnxruntime-migraphx in {_OWN}",
        "nnapi": "Android, and a build of onnxruntime with NNAPI",
        "xnnpack": "a build of onnxruntime with XNNPACK; litert has it",
    },
    "openvino": {
        "gpu": "a GPU of Intel with its driver (Debian: intel-opencl-icd), and a user in the "
        "group render",
        "npu": "an NPU of Intel (Core Ultra), the kernel's intel_vpu and Intel's NPU driver, and a "
        "user in the group render",
    },
}


def needed(runtime: str, delegate: str) -> str | None:
    """What `delegate` of `runtime` needs; None where nothing is known of it.

    Args:
        runtime: Its name.
        delegate: As a person writes it: "gpu", "GPU.1", "CUDAExecutionProvider", a library's path.
    """
    if "/" in delegate or delegate.endswith((".so", ".so.1", ".dylib", ".dll")):
        name = "edgetpu" if "edgetpu" in Path(delegate).name else "a library"
    else:
        name = delegate.lower().removesuffix("executionprovider").partition(".")[0]
    return NEEDED.get(runtime, {}).get(name)
