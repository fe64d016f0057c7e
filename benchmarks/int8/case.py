"""One model: make all its files, run them on the test split, judge and time them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.int8.judging import Judge, agreement
from benchmarks.int8.stock import METHODS, STOCK
from benchmarks.int8.timing import side_by_side
from edgekit.artifact import Artifact
from edgekit.datasets import draw
from edgekit.errors import EdgekitError
from edgekit.exporters.base import Exporter
from edgekit.feeding import encode, run_samples
from edgekit.job import Job
from edgekit.plan import EVALUATION_SPLIT, ExportOrder, exporters_named
from edgekit.progress import silent
from edgekit.quantization.calibration import draw_calibration
from edgekit.transports.local import LocalTransport
from edgekit.verbs.export import ExportRequest, export, plan_export

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

EDGEKIT, FLOAT = "edgekit", "fp32"
RANGES_ALONE = "ranges-alone"  # TFLite without conditioning and rewrites, with edgekit's ranges
_ANY_DROP = 100.0  # what edgekit would refuse is measured, too
_STOCK_SECONDS, _OTHER_SECONDS = 1200, 240  # that a converter may take for one file


@dataclass(frozen=True, slots=True)
class Case:
    """A model with the data set it was trained on.

    Attributes:
        model: Name of the reference model.
        dataset: Name of the data set.
        rounds: Fresh processes of each file for latency.
    """

    model: str
    dataset: str
    rounds: int = 11

    @property
    def name(self) -> str:
        return f"{self.model}/{self.dataset}"


CASES = (
    Case("mobilenet-v1", "glyphs"),
    Case("mobilenet", "glyphs"),
    Case("mobilenet", "sign-digits"),
    Case("mobilenet-v3-small", "glyphs"),
    Case("efficientnet", "glyphs"),
    Case("efficientnet-lite0", "sign-digits"),
    Case("vit", "glyphs"),
    Case("text-transformer", "clinc150"),
    Case("text-transformer", "banking77"),
    Case("language-id", "language-names"),
    Case("yolo", "bccd"),
    Case("yolo-640", "deeppcb", rounds=7),
)


def measure(case: Case, *, brief: bool) -> dict[str, Any]:
    """All figures of one model; if brief, without other ways than the converters' own."""
    with tempfile.TemporaryDirectory(prefix="edgekit-benchmark-") as name:
        return _Run(case, Path(name), brief=brief).figures()


class _Run:
    def __init__(self, case: Case, scratch: Path, *, brief: bool) -> None:
        self.case = case
        self.brief = brief
        self.scratch = scratch
        self.request = ExportRequest(
            model=case.model,
            dataset=case.dataset,
            precisions=("fp32", "int8"),
            max_drop=_ANY_DROP,
            out=scratch / "edgekit",
        )
        self.order: ExportOrder = plan_export(self.request)[0]
        assert self.order.source.spec is not None
        assert self.order.dataset is not None
        spec = self.order.source.spec.inputs[0]
        self.input = spec.name
        self.calibration = draw_calibration(
            self.order.dataset, self.order.calibration_samples, [spec], silent
        ).folder
        self.evaluation = draw(
            self.order.dataset, EVALUATION_SPLIT, self.order.evaluation_samples, [spec]
        ).folder

    def figures(self) -> dict[str, Any]:
        import numpy as np

        begun = time.perf_counter()
        result = export(self.request)
        seconds = round(time.perf_counter() - begun, 1)
        made = {
            (a.manifest.target, a.manifest.precision): Artifact.open(a.path)
            for a in result.artifacts
        }
        if plain := self._ranges_alone():
            made["tflite", RANGES_ALONE] = plain
        judge = Judge(self.order.metric, np.load(self.evaluation / "labels.npy"))
        targets, outputs = {}, {}
        for target, exporter in exporters_named(()).items():
            files: dict[str, Path] = {}
            sides = ((FLOAT, "fp32"), (EDGEKIT, "int8"), (RANGES_ALONE, RANGES_ALONE))
            for name, precision in sides:
                if artifact := made.get((target, precision)):
                    files[name] = artifact.path
            said = self._stock(target, exporter, made[target, "fp32"].model_path)
            places = {name: self.scratch / target / name for name in said}
            files |= {n: places[n] for n, entry in said.items() if "error" not in entry}
            targets[target], outputs[target] = self._target(exporter, files, judge)
            for name, entry in said.items():
                targets[target].setdefault(name, {}).update(entry)
            if kept := made.get((target, "int8")):
                targets[target][EDGEKIT]["calibration"] = dict(kept.manifest.calibration or {})
        return {
            "model": self.case.model,
            "dataset": self.case.dataset,
            "metric": self.order.metric,
            "samples": len(judge.labels),
            "calibration_samples": self.order.calibration_samples,
            "export_seconds": seconds,
            "failures": {name: error.message for name, error in result.failures.items()},
            "targets": targets,
            "between_targets": _between(outputs, judge),
        }

    def _ranges_alone(self) -> Artifact | None:
        """TFLite as it is but for edgekit's ranges: what the repair of the calibrator's gives."""
        request = replace(
            self.request,
            targets=("tflite",),
            precisions=("int8",),
            condition=False,
            fix=False,
            out=self.scratch / RANGES_ALONE,
        )
        found = export(request).artifacts
        return found[0] if found else None

    def _stock(self, target: str, exporter: Exporter, fp32: Path) -> dict[str, dict[str, Any]]:
        order = {
            "target": target,
            "model": self.order.source.to_json(),
            "weights": str(self.order.weights),
            "classes": len(self.order.classes),
            "fp32": str(fp32),
            "calibration": str(self.calibration / "inputs.npy"),
            "input": self.input,
            "out": str(self.scratch / target),
        }
        file = self.scratch / f"{target}.json"
        file.write_text(json.dumps(order), encoding="utf-8")
        return {
            method: _made(file, method)
            for method in METHODS[target]
            if not self.brief or method == STOCK
        }

    def _target(
        self, exporter: Exporter, files: Mapping[str, Path], judge: Judge
    ) -> tuple[dict[str, dict[str, Any]], dict[str, list[Array]]]:
        figures: dict[str, dict[str, Any]] = {}
        outputs: dict[str, list[Array]] = {}
        jobs = {}
        for name, folder in files.items():
            try:
                jobs[name], outputs[name] = self._run(exporter, folder, outputs.get(FLOAT))
            except EdgekitError as error:
                figures[name] = {"error": error.message}
                continue
            model = folder / exporter.model_file
            figures[name] = {"bytes": sum(p.stat().st_size for p in _parts(model))}
            figures[name] |= judge.against(outputs[name], outputs[FLOAT])
        if STOCK in outputs and EDGEKIT in outputs:
            figures[EDGEKIT]["against_stock"] = judge.against(outputs[EDGEKIT], outputs[STOCK])
        seconds = 0.3 if self.case.rounds > 7 else 1.0
        times = side_by_side(jobs, FLOAT, rounds=self.case.rounds, seconds=seconds)
        for name, entry in times.items():
            figures[name] |= entry
        return figures, outputs

    def _run(
        self, exporter: Exporter, folder: Path, like: list[Array] | None
    ) -> tuple[Job, list[Array]]:
        graph = exporter.inspect(folder)
        samples = self.evaluation / "inputs.npy"
        job = Job(action="run", runtime=exporter.runtime, model=str(folder / exporter.model_file))
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            # A stock file calls its only input something else.
            given, _ = run_samples(
                LocalTransport(), job,
                inputs=graph.inputs, outputs=graph.outputs, samples=samples, scratch=Path(name),
            )  # fmt: skip
        one = self.scratch / "one.npy"
        if not one.is_file():
            import numpy as np

            np.save(one, np.load(samples, mmap_mode="r")[-1:])
        sample = Path(tempfile.mkdtemp(dir=self.scratch))
        return (
            Job(**{**_fields(job), "inputs": str(encode(one, graph.inputs, sample))}),
            given if like is None else _in_order(given, like),
        )


def _made(order: Path, method: str) -> dict[str, Any]:
    limit = _STOCK_SECONDS if method == STOCK else _OTHER_SECONDS
    command = [sys.executable, "-m", "benchmarks.int8.stock", str(order), method]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {limit} s"}
    lines = [line for line in answer.stdout.splitlines() if line[:1] == "{"]
    if not lines:  # a converter that takes its process down
        return {"error": f"ended with {answer.returncode}"}
    said: dict[str, Any] = json.loads(lines[-1])
    return said


def _fields(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in ("action", "runtime", "model")}


def _in_order(given: list[Array], like: list[Array]) -> list[Array]:
    """Outputs in another file's order: a converter may turn them round."""
    shapes = [array.shape for array in given]
    return [given[shapes.index(array.shape)] for array in like]


def _parts(model: Path) -> list[Path]:
    return sorted(model.parent.glob(f"{model.stem}.*"))


def _between(outputs: Mapping[str, dict[str, list[Array]]], judge: Judge) -> dict[str, Any]:
    """Labels that two targets' files share, for edgekit's and for the converters' own."""
    if not judge.classifies:
        return {}
    pairs = (("tflite", "onnx"), ("tflite", "openvino"), ("onnx", "openvino"))
    return {
        f"{a}-{b}": {
            name: agreement(outputs[a][name][0], outputs[b][name][0])
            for name in (EDGEKIT, STOCK)
            if name in outputs[a] and name in outputs[b]
        }
        for a, b in pairs
    }
