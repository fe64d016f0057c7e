"""A whole export against the plain script that does the same work by stock calls.

Both get the same `.keras` file and the same samples in one `.npz`, make six files (TFLite, ONNX,
OpenVINO × fp32, int8), evaluate each on 2,016 samples and compare it with Keras. Fresh processes
and empty caches, alternated in random order; ratios are taken within each round. The script is
`stock_export.py`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edgekit.statistics import median, median_interval

ROUNDS = 5
WALL_LIMIT = 0.6
MEMORY_LIMIT = 0.8
CALIBRATION = 128
EVALUATION = 2016

_SAVE = """\
import sys
from pathlib import Path
from edgekit.loading import build_keras
from edgekit.models import resolve_model
source = resolve_model("mobilenet")
weights = source.weights_for("glyphs")
build_keras(source, weights=weights, classes=36).save(sys.argv[1])
"""


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Wall time in seconds, largest process in bytes, and their ratios to the stock script's."""
    with tempfile.TemporaryDirectory(prefix="edgekit-benchmark-") as scratch:
        folder = Path(scratch)
        model, samples = folder / "mobilenet.keras", folder / "glyphs.npz"
        subprocess.run([sys.executable, "-c", _SAVE, model], check=True, capture_output=True)
        _save_samples(samples)
        commands = {
            "edgekit": _edgekit_command(model, samples),
            "stock": [
                sys.executable,
                str(Path(__file__).with_name("stock_export.py")),
                str(model),
                str(samples),
            ],
        }
        figures: dict[str, list[_Figures]] = {name: [] for name in commands}
        order = random.Random(0)
        for number in range(rounds):
            for name in order.sample(sorted(commands), k=len(commands)):
                place = folder / f"{name}-{number}"
                place.mkdir()
                figures[name].append(_measure(name, commands[name], place))
    return _summary(figures)


class _Figures:
    """One run: wall seconds, largest process in bytes, top-1 per file in points."""

    def __init__(self, seconds: float, peak_bytes: int, top1: dict[str, float]) -> None:
        self.seconds = seconds
        self.peak_bytes = peak_bytes
        self.top1 = top1


def _edgekit_command(model: Path, samples: Path) -> list[str]:
    return [
        sys.executable, "-m", "edgekit", "export", str(model), "--data", str(samples), "--int8",
        "--calibration-samples", str(CALIBRATION), "--samples", str(EVALUATION),
        "--json", "--quiet", "--out",
    ]  # fmt: skip


def _measure(name: str, command: list[str], place: Path) -> _Figures:
    environment = {**os.environ, "EDGEKIT_CACHE": str(place / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    answer, log = place / "stdout", place / "stderr"
    with answer.open("wb") as out, log.open("wb") as err:
        begun = time.perf_counter()
        process = subprocess.Popen([*command, str(place)], stdout=out, stderr=err, env=environment)
        # The system's own account: the largest of the process and all that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{name} failed: {log.read_text(errors='replace')[-2000:]}")
    last = answer.read_text(encoding="utf-8")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return _Figures(seconds, peak, _top1(name, last))


def _top1(name: str, text: str) -> dict[str, float]:
    if name == "edgekit":
        return {
            f"{entry['target']}-{entry['precision']}": entry["metric"]["value"]
            for entry in json.loads(text)["artifacts"]
        }
    # Keras prints its own words before the script's one line.
    report = json.loads(text.strip().splitlines()[-1])
    suffixes = {"tflite": "tflite", "onnx": "onnx", "xml": "openvino"}
    return {
        f"{suffixes[key.partition('.')[2]]}-{key.partition('.')[0]}": round(100 * entry["top1"], 4)
        for key, entry in report.items()
    }


def _save_samples(path: Path) -> None:
    import numpy as np

    from edgekit.datasets import draw, open_dataset
    from edgekit.models import resolve_model

    source = resolve_model("mobilenet")
    assert source.spec is not None
    arrays = {}
    for split, count in (("train", CALIBRATION), ("test", EVALUATION)):
        drawn = draw(open_dataset("glyphs"), split, count, source.spec.inputs)
        arrays[f"x_{split}"] = np.load(drawn.folder / "inputs.npy")
        arrays[f"y_{split}"] = np.load(drawn.folder / "labels.npy")
    np.savez(path, **arrays)


def _summary(figures: dict[str, list[_Figures]]) -> dict[str, Any]:
    ours, stock = figures["edgekit"], figures["stock"]
    wall = [a.seconds / b.seconds for a, b in zip(ours, stock, strict=True)]
    memory = [a.peak_bytes / b.peak_bytes for a, b in zip(ours, stock, strict=True)]
    return {
        "benchmark": "export",
        "rounds": len(ours),
        "cpus": os.cpu_count(),
        "wall": {
            "limit": WALL_LIMIT,
            "ratio": round(median(wall), 4),
            "ratio_ci": [round(bound, 4) for bound in median_interval(wall)],
            "edgekit_s": [round(run.seconds, 2) for run in ours],
            "stock_s": [round(run.seconds, 2) for run in stock],
        },
        "largest_process": {
            "limit": MEMORY_LIMIT,
            "ratio": round(median(memory), 4),
            "ratio_ci": [round(bound, 4) for bound in median_interval(memory)],
            "edgekit_mb": [round(run.peak_bytes / 1e6) for run in ours],
            "stock_mb": [round(run.peak_bytes / 1e6) for run in stock],
        },
        "top1": {
            name: {"edgekit": ours[0].top1[name], "stock": stock[0].top1[name]}
            for name in sorted(ours[0].top1)
        },
    }
