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
    """Wall time of `--help` and `--version` in milliseconds, and the ratio to click alone."""
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
    milliseconds: dict[str, list[float]] = {name: [] for name in programs}
    for program in programs.values():  # byte code and disk caches are warm for both
        _timed_ms(program, argument)
    for _ in range(rounds):
        for name in order.sample(sorted(programs), k=len(programs)):
            milliseconds[name].append(_timed_ms(programs[name], argument))
    ratios = [
        ours / alone
        for ours, alone in zip(milliseconds["edgekit"], milliseconds["click"], strict=True)
    ]
    return {
        "edgekit_ms": round(median(milliseconds["edgekit"]), 2),
        "click_ms": round(median(milliseconds["click"]), 2),
        "ratio": round(median(ratios), 4),
        "ratio_ci95": [round(bound, 4) for bound in median_interval(ratios)],
        "ratio_range": [round(min(ratios), 4), round(max(ratios), 4)],
    }


def _timed_ms(program: Path, argument: str) -> float:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "EDGEKIT_DEBUG": ""}
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, program, argument], check=True, capture_output=True, env=environment
    )
    return 1000 * (time.perf_counter() - begun)
