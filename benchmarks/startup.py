"""What starting `edgekit` costs, against a click program of one command.

Fresh processes, both sides alternated in random order; a ratio is taken within each round, so that
what else the machine does falls on both.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edgekit.statistics import median, median_interval

ROUNDS = 60
LIMIT = 1.5

_CLICK_ALONE = """\
import click

@click.command()
@click.version_option("1.0", message="alone %(version)s")
def alone():
    \"\"\"A program of one command.\"\"\"

alone()
"""
# As an installed script begins: this is what `edgekit` itself runs.
_EDGEKIT = "import sys\nfrom edgekit.cli import main\nsys.exit(main())\n"


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Time of `--help` and `--version` in milliseconds, and the ratio to click alone."""
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        programs = {}
        for program, text in (("click", _CLICK_ALONE), ("edgekit", _EDGEKIT)):
            programs[program] = Path(name) / f"{program}_alone.py"
            programs[program].write_text(text, encoding="utf-8")
        return {
            "benchmark": "startup",
            "python": sys.version.split()[0],
            "rounds": rounds,
            "limit": LIMIT,
            "help": _compare(programs, "--help", rounds, order),
            "version": _compare(programs, "--version", rounds, order),
        }


def _compare(
    programs: dict[str, Path], argument: str, rounds: int, order: random.Random
) -> dict[str, Any]:
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for program in programs.values():  # byte code and disk caches are warm for both
        _timed_ms(program, argument)
    for _ in range(rounds):
        for name in order.sample(sorted(programs), k=len(programs)):
            samples[name].append(_timed_ms(programs[name], argument))
    return {
        "wall": _figures(*([wall for wall, _ in samples[name]] for name in ("edgekit", "click"))),
        # Barely moved by what else the machine does.
        "cpu": _figures(*([cpu for _, cpu in samples[name]] for name in ("edgekit", "click"))),
    }


def _figures(ours: list[float], alone: list[float]) -> dict[str, Any]:
    ratios = [mine / theirs for mine, theirs in zip(ours, alone, strict=True)]
    return {
        "edgekit_ms": round(median(ours), 2),
        "click_ms": round(median(alone), 2),
        "ratio": round(median(ratios), 4),
        "ratio_ci95": [round(bound, 4) for bound in median_interval(ratios)],
        "ratio_range": [round(min(ratios), 4), round(max(ratios), 4)],
    }


def _timed_ms(program: Path, argument: str) -> tuple[float, float]:
    """Wall time and CPU time of one fresh process."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "EDGEKIT_DEBUG": ""}
    used = _children_cpu_s()
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, program, argument], check=True, capture_output=True, env=environment
    )
    return 1000 * (time.perf_counter() - begun), 1000 * (_children_cpu_s() - used)


def _children_cpu_s() -> float:
    """CPU time of all ended child processes, user and system."""
    import resource  # POSIX only; os.times() counts in hundredths of a second

    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime
