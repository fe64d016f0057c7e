"""What there is to say of a model, before any format's words for it.

Holds no time, no path of the machine and no version: equal models give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets.recipe import (
    LETTERBOX,
    PICTURE,
    SOUND,
    TEXT,
    kind_of,
    level_ranges,
    picture_size,
    recipe_of,
)
from edgekit.detection import gives_objects
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo

LABELS, TOKENIZER, VOCABULARY = "labels.txt", "tokenizer.json", "vocab.txt"


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one model, the same for all its files.

    Attributes:
        model: Its name.
        summary: One line on it; "" where nobody said.
        task: One of `edgekit.spec.TASKS`; "" where nobody said.
        licence: SPDX identifier of the weights; "" where nobody said.
        activation: What an app applies to the last output.
        labels: Names of the classes; empty where there are none.
        inputs: Of the model, in its order.
        tokenizer: The tokenizer's file; None for a model without one.
        origin: The file that somebody else made and that this one is made from: what it says of
            itself stays. None where there is none.
    """

    model: str
    summary: str
    task: str
    licence: str
    activation: str
    labels: tuple[str, ...]
    inputs: tuple[InputSpec, ...]
    tokenizer: Path | None = None
    origin: Path | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "summary": self.summary,
            "task": self.task,
            "licence": self.licence,
            "activation": self.activation,
            "labels": list(self.labels),
            "inputs": [spec.to_json() for spec in self.inputs],
            "tokenizer": str(self.tokenizer) if self.tokenizer else None,
            "origin": str(self.origin) if self.origin else None,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Facts:
        return Facts(
            **{key: data[key] for key in ("model", "summary", "task", "licence", "activation")},
            labels=tuple(data["labels"]),
            inputs=tuple(InputSpec.from_json(entry) for entry in data["inputs"]),
            tokenizer=Path(data["tokenizer"]) if data["tokenizer"] else None,
            origin=Path(data["origin"]) if data["origin"] else None,
        )

    def spec_of(self, name: str, place: int) -> InputSpec | None:
        """The input that a file's tensor is: of its name, or of its place where names went."""
        for spec in self.inputs:
            if spec.name == name:
                return spec
        return self.inputs[place] if place < len(self.inputs) else None

    def names_classes(self, outputs: Sequence[TensorInfo], place: int) -> bool:
        """Whether `labels` name what is along the last axis of an output."""
        if not self.labels:
            return False
        names = [one.name for one in outputs]
        if gives_objects(names):
            return names[place] == "scores"
        last = outputs[place].shape
        return place == len(outputs) - 1 and bool(last) and last[-1] == len(self.labels)

    def gives_boxes(self, outputs: Sequence[TensorInfo], place: int) -> bool:
        """Whether an output is a detector's boxes."""
        return gives_objects([one.name for one in outputs]) and outputs[place].name == "boxes"

    def preprocessing(self) -> str:
        """The recipe of every input as JSON, in a bundle's words."""
        return json.dumps([recipe_of(spec) for spec in self.inputs], sort_keys=True)

    def of_input(self, spec: InputSpec) -> str:
        """A sentence on what an input takes."""
        kind = kind_of(spec)
        if kind == PICTURE:
            height, width = picture_size(spec)
            fitted = "letterboxed on grey 114" if spec.resize == LETTERBOX else "resized"
            colour = "RGB" if spec.channels == 3 else "grey"
            return (
                f"{colour} picture, {fitted} to {width} x {height} by an antialiased bilinear "
                f"filter; levels 0 and 255 become {_pairs(level_ranges(spec))}."
            )
        if kind == TEXT:
            return f"Tokens of a text ({spec.tokenizer.partition(':')[0]}), filled up with 0."
        if kind == SOUND:
            return f"One channel of sound, {spec.rate_hz} Hz, from {_pair(spec.range)}."
        return f"Values from {_pair(spec.range)}."

    def of_output(self, outputs: Sequence[TensorInfo], place: int) -> str:
        """A sentence on what an output gives."""
        if self.gives_boxes(outputs, place):
            return "Left, top, right and bottom of each box, as parts of the input, 0 to 1."
        if gives_objects([one.name for one in outputs]):
            return "A logit for each box and class; the sigmoid of it is a score."
        if self.names_classes(outputs, place):
            then = f"; {self.activation} of them gives scores" if self.activation else ""
            return f"A value for each of {len(self.labels)} classes{then}."
        return ""


def _pairs(ranges: Sequence[tuple[float, float]]) -> str:
    if len(set(ranges)) == 1:
        return _pair(ranges[0], " and ")
    return ", ".join(_pair(pair, " and ") for pair in ranges)


def _pair(pair: tuple[float, float], between: str = " to ") -> str:
    return f"{pair[0]:g}{between}{pair[1]:g}"
