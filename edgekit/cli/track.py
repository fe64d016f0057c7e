"""`edgekit track`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import output
from edgekit.cli.types import FiniteFloat, device_option

if TYPE_CHECKING:
    from edgekit.verbs.track import Row, Tracked

_TRACKERS = ("kalman", "sort", "deepsort")


@click.command("track")
@click.argument("artifact", nargs=-1, required=True)
@click.option(
    "--video",
    default="glyph-videos",
    show_default=True,
    metavar="PATH|glyph-videos",
    help="A folder of pictures, in the order of their names, or drawn videos.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Of the drawn videos.  [default: test]",
)
@click.option(
    "--videos",
    type=click.IntRange(1, 1000),
    help="How many drawn videos.  [default: 8]",
)
@click.option(
    "--tracker",
    type=click.Choice(_TRACKERS),
    default="sort",
    show_default=True,
    help="What tells who is who.",
)
@click.option(
    "--embedding", metavar="ARTIFACT", help="For deepsort: what tells how a box looks, as a vector."
)
@click.option(
    "--threshold",
    type=FiniteFloat(0.0, 1.0),
    default=0.5,
    show_default=True,
    help="Lowest score of an object.",
)
@device_option
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the tracks as CSV of MOTChallenge; names go before the suffix where several.",
)
@output.common_options
def command(
    *,
    artifact: tuple[str, ...],
    video: str,
    split: str | None,
    videos: int | None,
    tracker: str,
    embedding: str | None,
    threshold: float,
    device: str,
    runtime: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Follow what ARTIFACTs detect through videos.

    ARTIFACT is a detector's folder, or a folder that holds some, like build/yolo. Where the truth
    is known, MOTA, IDF1 and switches of identity are printed.
    """
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.track import track

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = track(
            [parse(one) for one in artifact],
            video=video,
            split=split,
            videos=videos,
            tracker=tracker,
            embedding=parse(embedding) if embedding is not None else None,
            device=device,
            runtime=runtime,
            threshold=threshold,
            out=out,
            report=report,
        )
    if as_json:
        if found.rows:
            output.print_json(found.to_json())
    elif found.rows:
        _print(found)
    output.raise_failures(found.failures, len(found.rows), "tracked with")


def _print(found: Tracked) -> None:
    first = found.rows[0]
    videos = f"{len(first.videos)} videos" if len(first.videos) > 1 else first.videos[0].name
    with_looks = f" with {found.embedding}" if found.embedding else ""
    output.print_table(
        f"{found.tracker}{with_looks} on {found.video}: {videos}, {first.frames:,} frames, "
        f"on {found.device}",
        (
            "artifact", "MOTA %", "IDF1 %", "switches", "missed", "false", "identities",
            "detector ms", *(("embedding ms a box",) if found.embedding else ()), "tracker ms",
        ),
        [_cells(row, embeds=found.embedding is not None) for row in found.rows],
    )  # fmt: skip
    if first.figures is None:
        click.echo("no figures: the truth of this video is not known (docs/track.md)")
    else:
        click.echo(
            f"{first.figures.objects:,} objects of {first.figures.identities} identities; "
            "missed, false: objects without a track, tracks without an object"
        )
    for path in found.written:
        click.echo(f"tracks: {path}")


def _cells(row: Row, *, embeds: bool) -> tuple[str | None, ...]:
    figures = row.figures
    known: tuple[str | None, ...] = (None,) * 5
    if figures is not None:
        known = (
            f"{figures.mota:.2f}",
            f"{figures.idf1:.2f}",
            f"{figures.switches:,}",
            f"{figures.misses:,}",
            f"{figures.false_positives:,}",
        )
    return (
        row.contender.name,
        *known,
        f"{sum(video.identities for video in row.videos):,}",
        _ms(row.detector_ms),
        *((_ms(row.embedding_ms),) if embeds else ()),
        _ms(row.tracker_ms),
    )


def _ms(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"
