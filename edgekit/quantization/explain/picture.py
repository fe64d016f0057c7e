"""A picture of what a file's layers lose, in the order they run in. Knows matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.picture import write_picture
from edgekit.quantization.explain.comparing import Compared

_NAMED = 6  # the worst layers have their names in it
_LONGEST = 44
_MOST_DB = 60.0  # more is as good as float here


def draw_layers(title: str, layers: Sequence[Compared], path: Path) -> None:
    """Draw signal over noise and bias of every layer.

    Args:
        title: Stands above it.
        layers: All with a counterpart, worst first.
        path: A `.png` or `.svg`; replaced whole.
    """
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
    write_picture(figure, path)


def _short(entry: Compared) -> str:
    name = f"{entry.layer.op} {entry.shown}"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
