"""Why delegates leave ops to others, and what would change it.

What XNNPACK runs was found by asking it: networks of one op each, in float and in 8 bits, in LiteRT
2.3 (`tests/placing/test_causes.py` asks again). What is not known is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgekit.agent.runtimes.base import INTEGERS

XNNPACK = "XNNPACK"
# Kinds that XNNPACK runs in float32 and not in 8 bits, and those that it never runs.
ONLY_IN_FLOAT = (
    "ABS", "AVERAGE_POOL_2D", "DIV", "EXP", "GELU", "HARD_SWISH", "LOG", "MAXIMUM", "RELU",
    "RELU6", "RSQRT", "SOFTMAX", "SQRT", "SQUARED_DIFFERENCE",
)  # fmt: skip
NEVER = (
    "ARG_MAX", "BROADCAST_TO", "CAST", "CUMSUM", "FLOOR_MOD", "GATHER", "GREATER",
    "L2_NORMALIZATION", "LOG_SOFTMAX", "MIRROR_PAD", "PACK", "POW", "RESIZE_NEAREST_NEIGHBOR",
    "SELECT", "TILE", "TOPK_V2",
)  # fmt: skip
# XNNPACK's limits of the ratio of an operand's step to the sum's.
_SUMS = ("ADD", "SUB")

_EIGHT_BITS = ("int8", "uint8")
_FLOATS = ("float32", "float16", "float64")
_IN_FLOAT = "leave it in float: mixed precision, in docs/mixed.md"
_LAYER_NORM = (
    f"batch normalisation, which is folded, instead of layer normalisation; or {_IN_FLOAT}"
)
_OWN_IO = (
    "at the ends: inputs and outputs as the device computes, edgekit export --io int8; between "
    "layers: what lies there is left in float"
)
_REWRITES = {
    "ARG_MAX": "give the scores and choose in the app, as a classification's postprocessing does",
    "AVERAGE_POOL_2D": "a convolution with stride; a mean over all places (MEAN) is taken",
    "BROADCAST_TO": "leave it out: sums and products broadcast by themselves",
    "CAST": "inputs of the dtype the model computes with: edgekit export --io float, or --io int8",
    "GATHER": "a lookup of tokens is little work where it is; keep it the first op, so that it "
    "costs one transfer",
    "GELU": f"train with ReLU6 instead; or {_IN_FLOAT}",
    "HARD_SWISH": "x·relu6(x+3) with the 1/6 moved into the kernels that read it: exact in float",
    "L2_NORMALIZATION": "give the vector as it is and normalise it in the app",
    "LOG_SOFTMAX": "give the logits, and leave it to the app",
    "MIRROR_PAD": "pad with zeros",
    "RESIZE_NEAREST_NEIGHBOR": "RESIZE_BILINEAR or DEPTH_TO_SPACE, which are taken",
    "RSQRT": _LAYER_NORM,
    "SOFTMAX": 'at the end: give the logits, with activation = "softmax" for the app; inside: '
    + _IN_FLOAT,
    "SQUARED_DIFFERENCE": _LAYER_NORM,
    "TILE": "sums and products broadcast by themselves; to enlarge a picture, RESIZE_BILINEAR or "
    "DEPTH_TO_SPACE",
    "TOPK_V2": "give the scores and choose in the app",
}
_FIXES = {"HARD_SWISH": "hard-swish"}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why ops of a kind are left out.

    Attributes:
        why: In a sentence; "" where nothing is known.
        rewrite: What would have them run where they were wanted, or make them unnecessary; "" where
            nothing is known.
        fix: Name of the rewrite of `edgekit.quantization.rewrite` that does it; None where
            nothing does it by itself.
    """

    why: str = ""
    rewrite: str = ""
    fix: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"why": self.why, "rewrite": self.rewrite, "fix": self.fix}


def cause_of(reason: str, wanted: str, kind: str, dtypes: Iterable[str]) -> Cause:
    """What is known of one kind of op that was left out.

    Args:
        reason: What the device itself says; "" where it is silent.
        wanted: What was to run it.
        kind: In the file's words.
        dtypes: Of its inputs and outputs that are not constant; none where they are not known.
    """
    found = set(dtypes)
    eight = bool(found) and found.issubset((*_EIGHT_BITS, "int32", "bool"))
    if wanted == XNNPACK:
        return _of_xnnpack(kind, eight=eight)
    if wanted.startswith("ethos-u"):
        return _of_ethos_u(reason, kind, found)
    if wanted == INTEGERS:
        return Cause(f"the runtime's CPU computes {kind} in float here")
    if wanted == "WebGPU" and kind in ("QuantizeLinear", "DynamicQuantizeLinear"):
        return Cause(
            f"ONNX Runtime's WebGPU has no {kind}: it computes in float",
            "an fp32 or fp16 file for WebGPU: edgekit export --target onnx",
        )
    return Cause(reason)


def _of_xnnpack(kind: str, *, eight: bool) -> Cause:
    rewrite, fix = _REWRITES.get(kind, ""), _FIXES.get(kind)
    if kind in NEVER:
        return Cause(f"XNNPACK has no {kind}", rewrite, fix)
    if kind in ONLY_IN_FLOAT and eight:
        return Cause(f"XNNPACK runs {kind} in float, and not in 8 bits", rewrite or _IN_FLOAT, fix)
    if kind in _SUMS and eight:
        return Cause(
            f"XNNPACK runs {kind} in 8 bits where each operand's step is 2^-10 to 2^8 of the "
            "result's",
            "operands of like ranges: constants as small as an epsilon are apart from the rest",
        )
    if kind == "BATCH_MATMUL" and eight:
        return Cause(
            "XNNPACK runs BATCH_MATMUL in 8 bits where the zero point of the second operand is 0",
            f"a second operand whose range lies evenly around zero; or {_IN_FLOAT}",
        )
    if kind == "STRIDED_SLICE":
        return Cause("XNNPACK takes no steps but 1", "a convolution or pooling with that stride")
    return Cause()


def _of_ethos_u(reason: str, kind: str, dtypes: set[str]) -> Cause:
    if kind in ("CAST", "QUANTIZE", "DEQUANTIZE"):
        return Cause(reason or "it converts floats, which the NPU does not know", _OWN_IO)
    if dtypes.intersection(_FLOATS):
        return Cause(reason, f"{kind} in 8 or 16 bits: its converter left it in float")
    return Cause(reason)
