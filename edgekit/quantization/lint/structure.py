"""Rules about operators: shared scales, activations, padding and masks, softmax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgekit.quantization.condition.graph import owner
from edgekit.quantization.lint.finding import ALL_TARGETS, Finding
from edgekit.quantization.lint.observed import Observed

_LEVELS = 255
# Operands of a concat this much narrower than the widest keep five bits or fewer.
_SHARED = 8.0
# An operand of a sum this much wider than the other leaves it one step or none.
_MASK = 255.0
# A mask from here on hides places; smaller ones somebody chose.
_HIDING = 1000.0
# A constant that makes the range of what it fills up this much wider.
_PADDING = 1.5
_MOST_CLASSES = 256


def rules(observed: Observed) -> Iterator[Finding]:
    """Every finding about operators."""
    yield from _shared_scale(observed)
    yield from _activations(observed)
    yield from _padding(observed)
    yield from _masks(observed)
    yield from _softmax(observed)


def _shared_scale(observed: Observed) -> Iterator[Finding]:
    found = []
    for node in observed.graph.order:
        if node.op not in ("ConcatV2", "Pack"):
            continue
        spans = [span for name in node.input if (span := observed.span(name))]
        if len(spans) > 1 and max(spans) / min(spans) >= _SHARED:
            found.append((max(spans) / min(spans), max(spans), min(spans), str(node.name)))
    if found:
        ratio, widest, narrowest, name = max(found)
        yield Finding(
            rule="shared-scale",
            ops=tuple(entry[3] for entry in found),
            value=ratio,
            figure=f"{_short(name)} joins ranges of {widest:.4g} and {narrowest:.4g}: the narrower "
            f"one gets {max(1, round(_LEVELS / ratio))} of {_LEVELS} steps",
            why="what is concatenated has one scale; boxes beside scores lose the scores",
            targets=ALL_TARGETS,
            rewrite="give the parts as outputs of their own, or scale them to one range before",
        )


def _activations(observed: Observed) -> Iterator[Finding]:
    hard, soft = [], []
    for node in observed.graph.order:
        if node.op == "Mul" and (source := _hard_swish(observed, node)):
            hard.append((observed.size(node.name), str(node.name), source))
        elif node.op == "Mul" and (source := _silu(observed, node)):
            soft.append((observed.size(node.name), str(node.name), source))
    if hard:
        yield Finding(
            rule="hard-swish",
            ops=tuple(entry[1] for entry in hard),
            value=float(sum(entry[0] for entry in hard)),
            figure=f"{len(hard)} hard-swish over {sum(e[0] for e in hard):,} values; "
            + _negative(observed, [entry[1] for entry in hard]),
            why="XNNPACK refuses an 8-bit HARD_SWISH: the graph falls into a partition more for "
            "each, and LiteRT's own kernel is slow",
            targets=("tflite",),
            rewrite="x·relu6(x+3) with the 1/6 moved into the kernels that read it: exact in float",
            fix="hard-swish",
        )
    if soft:
        yield Finding(
            rule="silu",
            ops=tuple(entry[1] for entry in soft),
            value=float(sum(entry[0] for entry in soft)),
            figure=f"{len(soft)} SiLU over {sum(e[0] for e in soft):,} values; "
            + _negative(observed, [entry[1] for entry in soft]),
            why="sigmoid and product are rounded one after the other, and everything below 0 "
            "(−0.28 at the lowest) shares few steps",
            targets=ALL_TARGETS,
            rewrite="train with ReLU6 or hard-swish instead; OpenVINO on CPUs runs it as one Swish",
        )


def _silu(observed: Observed, node: Any) -> str | None:
    """The tensor x of x·sigmoid(x), if that is what a product is."""
    plain = [observed.plain(name) for name in node.input]
    for own, other in (plain, plain[::-1]):
        gate = observed.graph.nodes[owner(own)[0]]
        # TensorFlow's own writes x·sigmoid(1·x).
        if gate.op == "Sigmoid" and _behind(observed, gate.input[0]) == _behind(observed, other):
            return other
    return None


def _hard_swish(observed: Observed, node: Any) -> str | None:
    """The tensor x of x·relu6(x+3)/6, in whichever order it is written; found at the product."""
    plain = [observed.plain(name) for name in node.input]
    for own, other in (plain, plain[::-1]):
        gate = _behind_constants(observed, own)
        if gate is None or gate.op != "Relu6":
            continue
        shifted = observed.graph.nodes[owner(observed.plain(gate.input[0]))[0]]
        if shifted.op in ("Add", "AddV2") and _behind(observed, other) in {
            _behind(observed, name) for name in shifted.input
        }:
            return other
    return None


def _behind_constants(observed: Observed, tensor: str) -> Any | None:
    """The node that gives a tensor, products with constants apart."""
    node = observed.graph.nodes[owner(tensor)[0]]
    while node.op in ("Mul", "RealDiv", "Identity"):
        varying = [name for name in node.input if observed.graph.constant(name) is None]
        if len(varying) != 1:
            return None
        node = observed.graph.nodes[owner(varying[0])[0]]
    return node


def _behind(observed: Observed, tensor: str) -> str:
    node = _behind_constants(observed, observed.plain(tensor))
    return tensor if node is None else str(node.name)


def _negative(observed: Observed, names: list[str]) -> str:
    known = [observed.ranges[name] for name in names if name in observed.ranges]
    steps = [_LEVELS * -low / (max(high, 0.0) - low) for low, high in known if low < 0]
    if not steps:
        return "nothing below 0 on these samples"
    return f"what is below 0 gets {round(min(steps))} of {_LEVELS} steps in the widest"


def _padding(observed: Observed) -> Iterator[Finding]:
    found = []
    for node in observed.graph.order:
        if node.op not in ("PadV2", "Pad") or node.input[0] not in observed.ranges:
            continue
        low, high = observed.ranges[node.input[0]]
        fill = 0.0
        if node.op == "PadV2":
            constant = observed.graph.constant(node.input[2])
            if constant is None or constant.size != 1:
                continue
            fill = float(constant.reshape(-1)[0])
        span = high - low
        wider = (max(high, fill) - min(low, fill)) / span if span else 1.0
        if wider >= _PADDING:
            found.append((wider, fill, low, high, str(node.name)))
    if found:
        wider, fill, low, high, name = max(found)
        yield Finding(
            rule="padding-constants",
            ops=tuple(entry[4] for entry in found),
            value=wider,
            figure=f"{_short(name)} fills up {low:.4g}…{high:.4g} with {fill:.4g}: a range "
            f"{wider:.3g} times as wide",
            why="the constant takes steps from every real value of the tensor",
            targets=ALL_TARGETS,
            rewrite="fill up with a value inside the range, or pad where zero lies in it",
            fix="padding-constants",
        )


def _masks(observed: Observed) -> Iterator[Finding]:
    found = []
    for node in observed.graph.order:
        if node.op in ("Add", "AddV2", "Sub"):
            operands = list(node.input)
        elif node.op in ("SelectV2", "Select", "Maximum", "Minimum"):
            operands = list(node.input)[-2:]
        else:
            continue
        spans = [_span(observed, name) for name in operands]
        # What is lost beside a wide operand matters where it varies: an epsilon does not.
        widest = max((span for span in spans if span), default=0.0)
        varying = [name for name in operands if observed.graph.constant(name) is None]
        narrowest = min((span for n in varying if (span := observed.span(n))), default=widest)
        if narrowest and widest / narrowest >= _MASK:
            found.append((widest / narrowest, widest, narrowest, str(node.name)))
    if found:
        ratio, widest, narrowest, name = max(found)
        yield Finding(
            rule="mask-constants",
            ops=tuple(entry[3] for entry in found),
            value=ratio,
            figure=f"{_short(name)} puts a range of {widest:.4g} beside one of {narrowest:.4g}",
            why="in 8 bits the smaller operand is less than one step of the sum: it is gone",
            targets=ALL_TARGETS,
            rewrite="mask with a constant just beyond the real range (−30 for a softmax)",
            fix="mask-constants" if widest >= _HIDING else None,
        )


def _span(observed: Observed, tensor: str) -> float | None:
    value = observed.graph.constant(tensor)
    if value is None:
        return observed.span(tensor)
    if value.dtype.kind != "f" or not value.size:
        return None
    return max(float(value.max()), 0.0) - min(float(value.min()), 0.0)


def _softmax(observed: Observed) -> Iterator[Finding]:
    found = []
    for node in observed.graph.order:
        if node.op != "Softmax" or node.name not in observed.shapes:
            continue
        classes = observed.shapes[node.name][-1]
        if observed.is_given(node.name) or classes >= _MOST_CLASSES:
            found.append((classes, str(node.name)))
    if found:
        classes, name = max(found)
        yield Finding(
            rule="softmax-step",
            ops=tuple(entry[1] for entry in found),
            value=float(classes),
            figure=f"{_short(name)} over {classes:,}: in steps of 1/256 the mean share is "
            f"{256 / classes:.3g} steps",
            why="shares below half a step become 0 and near ones become equal; XNNPACK refuses the "
            "8-bit SOFTMAX, too",
            targets=ALL_TARGETS,
            rewrite='leave it out of the model: give logits, with activation = "softmax" for the '
            "app",
        )


def _short(name: str) -> str:
    return name.partition("/")[2] or name
