"""A picture of what a file's layers lose, in the order they run in. Knows matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edgekit.errors import MissingExtraError, UsageError
from edgekit.files import write_atomic
from edgekit.quantization.explain.comparing import Compared

FORMATS = (".png", ".svg")

_NAMED = 6  # the worst layers have their names in it
_LONGEST = 44
_MOST_DB = 60.0  # more is as good as float here


def check_picture(path: Path) -> None:
    """Refuse a name that no picture can have, before anything is computed.

    Raises:
        UsageError: Neither `.png` nor `.svg`.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"--picture {path}: {path.suffix or 'a name without an ending'} is no format for it",
            hint=f"one of: {', '.join(FORMATS)}",
        )
    if find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "data", "drawing layers")


def draw_layers(title: str, layers: Sequence[Compared], path: Path) -> None:
    """Draw signal over noise and bias of every layer.

    Args:
        title: Stands above it.
        layers: All with a counterpart, worst first.
        path: A `.png` or `.svg`; replaced whole.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    noise, bias = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    rows = sorted(layers, key=lambda entry: entry.place)
    places = [entry.place for entry in rows]
    alone = [min(_MOST_DB, entry.alone.snr_db) for entry in rows if entry.alone]
    whole = [min(_MOST_DB, entry.whole.snr_db) for entry in rows if entry.whole]
    noise.bar(places, alone, color="#bcd4e6", label="this layer alone, on the file's own inputs")
    noise.plot(places, whole, color="#1f4e79", marker=".", label="with all before it")
    worst = layers[:_NAMED]
    noise.bar(
        [entry.place for entry in worst],
        [min(_MOST_DB, entry.alone.snr_db) for entry in worst if entry.alone],
        color="#d9773f",
        label="worst:\n" + "\n".join(f"{n}. {_short(entry)}" for n, entry in enumerate(worst, 1)),
    )
    for number, entry in enumerate(worst, 1):
        assert entry.alone is not None
        place = (entry.place, min(_MOST_DB, entry.alone.snr_db))
        noise.annotate(str(number), place, ha="center", va="bottom", fontsize=8)
    noise.set(title=title, ylabel="signal over noise, dB")
    noise.grid(axis="y", alpha=0.3)
    noise.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    errors = [(entry.whole.bias or 0.0) if entry.whole else 0.0 for entry in rows]
    bias.bar(places, errors, color="#8a8a8a")
    bias.set(xlabel="layer, in the order they run in", ylabel="bias / spread")
    bias.grid(axis="y", alpha=0.3)
    buffer = io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    # Without a date and with fixed names inside, the same figures give the same bytes.
    with rc_context({"svg.hashsalt": "edgekit"}):
        figure.savefig(
            buffer, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None
        )
    write_atomic(path, buffer.getvalue())


def _short(entry: Compared) -> str:
    name = f"{entry.layer.op} {entry.shown}"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
