from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_signals_wait_for_the_end_of_a_step():
    file = Path(__file__).with_name("signals.py")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(file)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
