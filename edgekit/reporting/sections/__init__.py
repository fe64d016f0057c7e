"""From facts to the page: its title, its parts in order, and how to read it."""

from __future__ import annotations

from dataclasses import replace

from edgekit.reporting import wording
from edgekit.reporting.facts import Facts, RunFacts
from edgekit.reporting.page import Page, Section
from edgekit.reporting.sections.artifacts import artifact_sections
from edgekit.reporting.sections.drawn import run_charts
from edgekit.reporting.sections.runs import run_sections
from edgekit.reporting.sections.short import in_short

_MOST_NAMED = 4  # models in the title

_HOW_TO_READ = (
    (
        "Every process counts once: calls within one process are strongly correlated. A latency "
        "is the median over fresh processes of each one's median; its 95 % interval is "
        "distribution-free (Conover, Practical Nonparametric Statistics, 3.2) and needs six "
        "processes. With fewer, the range of the processes stands there and is called one; it "
        "covers less."
    ),
    (
        "CPU time is the time of the process during a call, wall time the time of the clock on "
        "the wall; on a busy machine wall time holds waiting. One thread is judged by CPU time, "
        "several threads and accelerators by wall time."
    ),
    (
        "A ratio comes from the rounds that both contenders took part in: in each round, the "
        "median over pairs of blocks of the logarithm of the ratio; over the rounds, a 20 % "
        "trimmed mean with a Student interval. It finds differences that two separate intervals "
        "do not show."
    ),
    (
        "Percentiles stand there only where every process made enough calls for them: 64 for "
        "the 90th, 130 for the 95th, 662 for the 99th."
    ),
    "Nothing is zero that was not measured: what a machine does not tell is unavailable.",
)


def page_of(facts: Facts, version: str, *, charts: bool) -> Page:
    """The page.

    Args:
        facts: What it says.
        version: Of the edgekit that writes it.
        charts: Whether to draw.

    Raises:
        MissingExtraError: matplotlib is not installed, and charts are asked for.
    """
    models = facts.models
    named = ", ".join(models[:_MOST_NAMED])
    if len(models) > _MOST_NAMED:
        named += f" and {len(models) - _MOST_NAMED} more"
    devices = sorted({one.run.device for one in facts.runs})
    runs: list[Section] = []
    for number, one in enumerate(facts.runs):
        key = f"run{number}"
        drawn = run_charts(key, one) if charts else {}
        runs += [
            replace(section, charts=drawn.get(section.key, ()))
            for section in run_sections(key, one)
        ]
    reading = Section("reading", "How to read this", paragraphs=_HOW_TO_READ)
    return Page(
        title=f"{named} on {', '.join(devices)}" if devices else named,
        lead=(
            wording.plural(len(facts.artifacts), "artifact"),
            *(_lead(one) for one in facts.runs),
            f"written by edgekit {version}",
        ),
        sections=(in_short(facts), *runs, *artifact_sections(facts), reading),
    )


def _lead(one: RunFacts) -> str:
    processor = one.run.environment.get("cpu_model") or "processor unknown"
    return f"{wording.run_title(one)}: {processor}"
