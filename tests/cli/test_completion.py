from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgekit.cli import VERBS


def complete(*words):
    """What a shell is offered after `words`, the last of them unfinished."""
    environment = {
        **os.environ,
        "_EDGEKIT_COMPLETE": "zsh_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "edgekit"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    return list(zip(lines[0::3], lines[1::3], strict=True))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_calls_edgekit_back(shell):
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", "completion", shell],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"_EDGEKIT_COMPLETE={shell}_complete" in done.stdout


def test_verbs_complete():
    assert {name for _, name in complete("edgekit", "")} == set(VERBS)
    assert {name for _, name in complete("edgekit", "do")} == {"doctor"}


def test_model_names_complete_and_anything_else_is_a_path():
    families = [("plain", name) for name in ("efficientnet", "efficientnet-lite0")]
    assert complete("edgekit", "models", "eff") == families
    assert complete("edgekit", "models", "./ow") == [("file", "./ow")]


def test_device_names_complete():
    assert complete("edgekit", "devices", "loc") == [("plain", "local-cpu")]


def test_platforms_and_what_becomes_of_updates_complete():
    words = ("edgekit", "bundle", "build/m/tflite-int8", "--platform")
    assert complete(*words, "py") == [("plain", "python")]
    assert {name for _, name in complete("edgekit", "update", "")} == {"make", "apply"}
