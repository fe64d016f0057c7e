"""What an OpenVINO file says of itself: the section "model_info" of its runtime information.

The words are those of OpenVINO's Model API, which DL Streamer reads, too. A `model_type` stands
there only where one of its wrappers does what edgekit's models need: pictures to classes. A
detector's boxes and logits fit none, so none is named. Its pictures are BGR by default, hence
`reverse_input_channels`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit import detection
from edgekit.datasets.images import LETTERBOX_GREY
from edgekit.datasets.recipe import LETTERBOX, PICTURE, kind_of, normalization
from edgekit.exporters.metadata.facts import Facts
from edgekit.tensor import TensorInfo

SECTION = "model_info"


def add_metadata(model: Any, facts: Facts, outputs: Sequence[TensorInfo]) -> None:
    """Say it in an `openvino.Model`.

    Args:
        model: The file.
        facts: What to say.
        outputs: Of the file.
    """
    for key, value in _told(facts, outputs).items():
        model.set_rt_info(value, [SECTION, key])


def _told(facts: Facts, outputs: Sequence[TensorInfo]) -> Mapping[str, str]:
    told = {
        "model_name": facts.model,
        "description": facts.summary,
        "task": facts.task,
        "license": facts.licence,
        "preprocessing": facts.preprocessing(),
        # Parted by spaces, as the readers part them.
        "labels": " ".join(name.replace(" ", "_") for name in facts.labels),
    }
    pictures = [spec for spec in facts.inputs if kind_of(spec) == PICTURE]
    if len(facts.inputs) == len(pictures) == 1:
        spec = pictures[0]
        means, deviations = normalization(spec)
        told |= {
            "mean_values": _numbers(means),
            "scale_values": _numbers(deviations),
            "reverse_input_channels": str(spec.channels == 3),
            "resize_type": ("fit_to_window_letterbox" if spec.resize == LETTERBOX else "standard"),
            "pad_value": str(LETTERBOX_GREY),
        }
        if detection.gives_objects([one.name for one in outputs]):
            told |= {
                "confidence_threshold": f"{detection.THRESHOLD:g}",
                "iou_threshold": f"{detection.OVERLAP:g}",
            }
        elif len(outputs) == 1 and facts.names_classes(outputs, 0):
            told["model_type"] = "Classification"
    return {key: value for key, value in told.items() if value}


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(value) for value in values)
