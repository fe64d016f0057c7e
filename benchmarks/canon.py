"""Every reference model on every target: one table, `docs/canon.md`.

Each model is exported in fp32 and int8 to all targets with its default data set, its artifacts are
profiled side by side on this machine, and what an int8 file computes in float is read from the
file. What was found of a model is kept in `build/canon`, so that the table can be made in parts;
`--only NAME` measures some models, `--fresh` measures anew, `--brief` leaves latencies for later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.files import write_atomic
from edgekit.graphs.floats import Floats, floats
from edgekit.graphs.reading import read_graph
from edgekit.measuring.contenders import parse
from edgekit.metrics import SCALES
from edgekit.models import known_models, resolve_model
from edgekit.verbs.export import ExportRequest, export
from edgekit.verbs.listing import describe_model
from edgekit.verbs.profile import profile

PLACE = Path("build/canon")
PAGE = Path("docs/canon.md")
ROUNDS, SECONDS = 3, 0.5
SAMPLES = 1000
_LONGEST_REASON = 160

_HEAD = """# Every model on every target

Made by `python -m benchmarks canon`: each reference model in fp32 and int8 on three targets, with
its default data set.

- *Parity* is the largest difference of an output from Keras's, in the output's own unit.
- *Drop* is what the metric loses against Keras on the same samples, with its 95 % interval. Metrics
  are of {samples:,} test samples at most, the cards' of more.
- *Latency* is the median of {rounds} fresh processes, of a model's files in turn: comparable among
  the rows of one model only, since others were measured at other times. Measured on: {machines}.
- *In float* is read from the file: what an int8 artifact computes in float between 8-bit operators,
  `—` where nothing is. It says what the file asks for. Where a runtime has no 8-bit kernel for what
  a file offers, it computes in float after all; `edgekit explain ARTIFACT --device local-cpu` says
  which operators ([placement](placement.md)).
- *Kept* are layers that were left in float on purpose, because int8 would have missed its gate
  ([mixed precision](mixed.md)); what they consist of counts as float.

{models} models, {artifacts} artifacts, {missing} not made; {whole} of {int8} int8 artifacts are
wholly in 8 bits.
"""


def run(only: tuple[str, ...] = (), fresh: bool = False, brief: bool = False) -> dict[str, Any]:
    """Measure what is not known yet, and write the table of all that is.

    All latencies come after all exports, so that they are of one stretch of time.
    """
    PLACE.mkdir(parents=True, exist_ok=True)
    names = only or tuple(known_models())
    for name in names:
        if fresh or not _is_known(PLACE / f"{name}.json"):
            print(f"{name} …", flush=True)
            _keep(_exported(name))
    for name in () if brief else names:
        model = _kept(name)
        if any("sha256" in row and "median_ms" not in row for row in model["rows"]):
            print(f"{name}, latency …", flush=True)
            _keep(_timed(model))
    found = [_kept(name) for name in known_models() if (PLACE / f"{name}.json").is_file()]
    rows = [row for model in found for row in model["rows"]]
    int8 = [row for row in rows if row["precision"] == "int8" and "reason" not in row]
    figures = {
        "models": len(found),
        "artifacts": sum("reason" not in row for row in rows),
        "missing": sum("reason" in row for row in rows),
        "int8": len(int8),
        "whole": sum(not row["floats"]["inside"] for row in int8),
    }
    write_atomic(PAGE, _page(found, figures))
    return figures


def _keep(model: dict[str, Any]) -> None:
    write_atomic(PLACE / f"{model['name']}.json", json.dumps(model, indent=1))


def _kept(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((PLACE / f"{name}.json").read_text(encoding="utf-8"))
    return kept


def _is_known(kept: Path) -> bool:
    """Whether a model was measured; one of which nothing could be made is tried again."""
    if not kept.is_file():
        return False
    return all(row["target"] for row in json.loads(kept.read_text(encoding="utf-8"))["rows"])


def _exported(name: str) -> dict[str, Any]:
    """A model's artifacts and what their manifests and files say."""
    spec = resolve_model(name).spec
    assert spec is not None
    rows: list[dict[str, Any]] = []
    try:
        result = export(
            ExportRequest(
                model=name,
                precisions=("fp32", "int8"),
                evaluation_samples=min(spec.gate.samples, SAMPLES),
                out=PLACE / "artifacts",
            )
        )
    except EdgekitError as error:
        rows.append({"target": "", "precision": "", "reason": error.message})
        return _told(name, rows)
    for artifact in result.artifacts:
        manifest = artifact.manifest
        inside = Floats({}, {}, {})
        if manifest.precision == "int8":
            inside = floats(read_graph(artifact.model_path, manifest.target))
        rows.append(
            {
                "target": manifest.target,
                "precision": manifest.precision,
                "path": str(artifact.path),
                "sha256": artifact.sha256,
                "bytes": artifact.bytes,
                "max_abs": manifest.parity.max_abs,
                "metric": manifest.metric,
                "floats": inside.to_json(),
                "kept": len(manifest.kept),
            }
        )
    for label, failure in result.failures.items():
        target, _, precision = label.rpartition("-")
        rows.append({"target": target, "precision": precision, "reason": failure.message})
    return _told(name, rows)


def _timed(model: dict[str, Any]) -> dict[str, Any]:
    """The same with the median latency of each artifact, None where it could not be taken."""
    made = [row for row in model["rows"] if "sha256" in row]
    try:
        measured = profile([parse(row["path"]) for row in made], rounds=ROUNDS, seconds=SECONDS)
        medians = {row.contender.sha256: row.summary.median_ms for row in measured.rows}
        model["machine"] = measured.run.environment.get("cpu_model")
    except EdgekitError as error:
        medians = {}
        told = {"target": "", "precision": "", "reason": f"latency: {error.message}"}
        model["rows"].append(told)
    for row in made:
        row["median_ms"] = medians.get(row["sha256"])
    return model


def _told(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    entry = describe_model(name)
    return {
        "name": name,
        "task": entry.spec.task,
        "metric": entry.spec.metric,
        "dataset": next(iter(entry.checkpoints), ""),
        "folder": entry.folder.name,
        "rows": sorted(rows, key=lambda row: (row["target"], row["precision"] != "fp32")),
    }


def _page(models: list[dict[str, Any]], figures: dict[str, Any]) -> str:
    machines = sorted({model["machine"] for model in models if model.get("machine")})
    parts = [
        _HEAD.format(
            rounds=ROUNDS, samples=SAMPLES, machines=", ".join(machines) or "nothing yet", **figures
        )
    ]
    for task in sorted({model["task"] for model in models}):
        parts.append(
            f"\n## {task}\n\n| model | data | target | precision | parity | metric | drop | size | "
            "latency | in float |\n|---|---|---|---|---|---|---|---|---|---|"
        )
        for model in models:
            if model["task"] == task:
                parts += [_row(model, row) for row in model["rows"]]
    return "\n".join(parts) + "\n"


def _row(model: dict[str, Any], row: dict[str, Any]) -> str:
    link = f"[{model['name']}](../models/{model['task']}/{model['folder']}/README.md)"
    start = f"| {link} | {model['dataset']} | {row['target']} | {row['precision']} |"
    if "reason" in row:
        reason = " ".join(row["reason"].split())[:_LONGEST_REASON].replace("|", "\\|")
        return f"{start} not made: {reason} ||||||"
    value, drop = "", ""
    if metric := row["metric"]:
        scale = SCALES[metric.get("unit", "points")]
        low, high = metric["drop_ci95"]
        value = f"{metric['name']} {scale.text(metric['value'])}"
        drop = f"{metric['drop']:+.2f} [{low:+.2f}, {high:+.2f}]"
    median = row.get("median_ms")
    latency = "" if median is None else f"{median:.3g} ms"
    size = f"{row['bytes'] / 1e6:.3f} MB"
    return (
        f"{start} {row['max_abs']:.2g} | {value} | {drop} | {size} | {latency} | {_floats(row)} |"
    )


def _floats(row: dict[str, Any]) -> str:
    if row["precision"] != "int8":
        return ""
    inside = row["floats"]["inside"]
    kinds = ", ".join(f"{op} ×{count}" for op, count in sorted(inside.items()))
    layers = "layer" if row["kept"] == 1 else "layers"
    kept = f"{row['kept']} {layers} kept" if row["kept"] else ""
    return "; ".join(part for part in (kept, kinds) if part) or "—"
