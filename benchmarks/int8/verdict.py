"""Which of the limits hold, model by model and target by target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.int8.case import EDGEKIT, FLOAT
from benchmarks.int8.stock import STOCK

DROP = {"map50": 1.0}  # points; of classifiers:
_DROP = 0.5
_SAME_AS_FLOAT = 98.0  # per cent of labels, where float is right in
_WORTH = 90.0  # per cent
_SAME = {"tflite-onnx": 99.0, "tflite-openvino": 98.0, "onnx-openvino": 98.0}
_BY_CHANCE = 0.05


def verdicts(models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What was missed, each with its figure, and how many limits were looked at."""
    checked, missed = 0, []
    for name, model in models.items():
        for what, holds in _checks(model):
            checked += 1
            if not holds:
                missed.append(f"{name}: {what}")
    return {"checked": checked, "held": checked - len(missed), "missed": missed}


def _checks(model: Mapping[str, Any]) -> list[tuple[str, bool]]:
    limit = DROP.get(model["metric"], _DROP)
    found = []
    for target, files in model["targets"].items():
        ours = files.get(EDGEKIT, {})
        if "drop" not in ours:
            found.append((f"{target}: no file: {ours.get('error', '')}", False))
            continue
        found.append((f"{target}: drop {ours['drop']} over {limit}", ours["drop"] <= limit))
        if "against_stock" in ours:
            found.append((f"{target}: {_worse(ours, files)}", not _is_worse(ours)))
        if "same" in ours and files[FLOAT]["value"] >= _WORTH:
            same = ours["same_or_tied"]
            found.append((f"{target}: labels of fp32 in {same} %", same >= _SAME_AS_FLOAT))
    for pair, entry in model["between_targets"].items():
        if EDGEKIT in entry:
            same = entry[EDGEKIT]["same_or_tied"]
            found.append((f"{pair}: same labels in {same} %", same >= _SAME[pair]))
    return found


def _is_worse(ours: Mapping[str, Any]) -> bool:
    """Below the converter's own by more than chance gives."""
    against = ours["against_stock"]
    if against["drop"] <= 0:
        return False
    if "mcnemar_p" in against:
        return bool(against["mcnemar_p"] < _BY_CHANCE)
    return bool(against["drop_ci95"][0] > 0)


def _worse(ours: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    return f"{ours['value']} against the converter's own {files[STOCK].get('value')}"
