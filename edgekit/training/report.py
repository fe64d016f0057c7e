"""`report.html` of a run folder: one page without network, scripts or files beside it.

Writes what others measured: curves, metrics with intervals, confusion and recall by class, recipe,
facts of the data. Every text of a person's (class names, paths) is escaped. Trains nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS
from edgekit.files import write_atomic
from edgekit.metrics import MetricValue, judges_vectors
from edgekit.statistics import wilson
from edgekit.training import charts
from edgekit.training.course import Course

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #6a737d; --line: #d8dee4;
  --one: #1f6feb; --two: #d1571a; --good: 31, 111, 235; --bad: 209, 87, 26; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #8d96a0;
  --line: #30363d; --one: #58a6ff; --two: #f0883e; --good: 88, 166, 255; --bad: 240, 136, 62; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } .wide { overflow-x: auto; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } svg { max-width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
img { max-width: 100%; background: #fff; } pre { overflow-x: auto; color: var(--soft); }
summary { cursor: pointer; color: var(--soft); }
"""


def write_report(
    course: Course,
    history: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, MetricValue],
    outputs: Sequence[Array],
    labels: Array,
) -> None:
    """Write `report.html` into the run folder.

    Args:
        course: What was trained.
        history: An entry an epoch.
        metrics: By split.
        outputs: Of the last split measured, one [N, ...] array per output.
        labels: Theirs, [N, ...].

    Raises:
        OSError: The system refuses.
    """
    dataset = course.dataset
    title = f"{course.source.name} on {dataset.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _table(
            ("split", "samples", "metric", "value", "95 % interval"),
            [
                (
                    split,
                    f"{m.samples:,}",
                    m.name,
                    f"{m.value:.2f}",
                    f"{m.ci95[0]:.2f}–{m.ci95[1]:.2f}",
                )
                for split, m in metrics.items()
            ],
            numbers=(1, 3, 4),
        ),
        "<h2>Curves</h2>",
        _curves(history, course.metric_name),
    ]
    if labels.ndim == 1 and outputs[0].ndim == 2 and not judges_vectors(course.metric):
        last = list(metrics)[-1]
        counts = _confusion(outputs[0].argmax(axis=1), labels, len(dataset.classes))
        parts += [
            f"<h2>Confusion, {escape(last)} split</h2>",
            '<p>A row is what it is, a column what the model says.</p><div class="wide">',
            charts.confusion(counts, dataset.classes),
            "</div><h2>Classes</h2>",
            _classes(counts, dataset.classes),
        ]
    for path in sorted(course.folder.glob("*.png")):
        if path.name != "curves.png":
            data = base64.b64encode(path.read_bytes()).decode()
            name = escape(path.stem)
            parts.append(f'<h2>{name}</h2><img alt="{name}" src="data:image/png;base64,{data}">')
    parts += ["<h2>Data</h2>", _facts(_data_facts(course))]
    parts += ["<h2>Recipe</h2>", _facts(course.recipe.to_json())]
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    write_atomic(course.folder / "report.html", page)


def _curves(history: Sequence[Mapping[str, Any]], metric: str) -> str:
    epochs = [entry["epoch"] for entry in history]

    def column(key: str) -> list[float | None]:
        return [entry.get(key) for entry in history]

    loss = {"training": column("loss"), "validation": column("validation_loss")}
    points = {"training": column("train"), "validation": column("validation")}
    drawn = [
        charts.curves("loss", epochs, loss),
        charts.curves(metric, epochs, points),
        charts.curves("learning rate", epochs, {"": column("learning_rate")}),
    ]
    keys = ("epoch", "loss", "validation_loss", "train", "validation", "learning_rate", "seconds")
    rows = [[_shown(entry.get(key)) for key in keys] for entry in history]
    table = _table(keys, rows, numbers=range(len(keys)))
    return (
        f'<div class="charts">{"".join(drawn)}</div>'
        f"<details><summary>every epoch</summary>{table}</details>"
    )


def _confusion(guesses: Array, labels: Array, classes: int) -> Array:
    """int64 [classes, classes]: how often a class (row) was taken for another (column)."""
    import numpy as np

    pairs = labels.astype(np.int64) * classes + guesses
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _classes(counts: Array, names: Sequence[str]) -> str:
    rows = []
    for label, name in enumerate(names):
        samples, right = int(counts[label].sum()), int(counts[label, label])
        claimed = int(counts[:, label].sum())
        others = counts[label].copy()
        others[label] = 0
        low, high = wilson(right, samples) if samples else (0.0, 0.0)
        rows.append(
            (
                name,
                f"{samples:,}",
                f"{100 * right / samples:.1f}" if samples else "",
                f"{100 * low:.1f}–{100 * high:.1f}" if samples else "",
                f"{100 * right / claimed:.1f}" if claimed else "",
                f"{names[int(others.argmax())]} ({others.max()})" if others.any() else "",
            )
        )
    columns = ("class", "samples", "recall %", "95 % interval", "precision %", "taken for")
    return f'<div class="wide">{_table(columns, rows, numbers=(1, 2, 3, 4))}</div>'


def _data_facts(course: Course) -> dict[str, Any]:
    dataset = course.dataset
    return {
        "name": dataset.name,
        "task": dataset.task,
        "classes": len(dataset.classes),
        **{f"{split} samples": dataset.size(split) for split in SPLITS},
        "batch": course.batch_size,
        "steps per epoch": course.steps_per_epoch,
        "seed": course.seed,
        "fingerprint": dataset.fingerprint(),
    }


def _facts(facts: Mapping[str, Any]) -> str:
    rows = [(key.replace("_", " "), _shown(value)) for key, value in facts.items()]
    return _table((), rows)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items()) or "–"
    return "; ".join(_shown(item) for item in value) or "–"


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()
) -> str:
    def cells(values: Sequence[str], tag: str) -> str:
        kinds = [' class="n"' if at in numbers else "" for at in range(len(values))]
        return "".join(
            f"<{tag}{kind}>{escape(value)}</{tag}>"
            for kind, value in zip(kinds, values, strict=True)
        )

    head = f"<tr>{cells(columns, 'th')}</tr>" if columns else ""
    return f"<table>{head}" + "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows) + "</table>"
