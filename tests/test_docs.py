"""What the documentation says can be done, can be done."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from benchmarks.__main__ import NAMES as BENCHMARKS
from edgekit.cli import VERBS, cli

CHECKOUT = Path(__file__).parent.parent
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((CHECKOUT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^```console( cheap)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(*, cheap=None):
    """(page, command) of every `$` line in a console block."""
    found = []
    for page in PAGES:
        for mark, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if cheap is None or bool(mark) is cheap:
                lines = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
                found += [pytest.param(line, id=f"{page.name}: {line}") for line in lines]
    return found


def parse(words):
    """Let click parse a command line without running it."""
    verb, *arguments = words
    group = click.Context(cli, info_name="edgekit")
    command = cli.get_command(group, verb)
    assert command is not None, f"no verb {verb!r}"
    try:
        command.make_context(verb, arguments, parent=group)
    except click.exceptions.Exit:  # --help
        return


@pytest.mark.parametrize("command", commands(cheap=True))
def test_a_command_marked_cheap_runs(command, tmp_path):
    words = shlex.split(command)
    assert words[0] == "edgekit"
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", commands())
def test_every_command_shown_exists_and_takes_these_options(command):
    words = shlex.split(command)
    program = Path(words[0]).name
    if program == "edgekit":
        parse(words[1:])
    elif program == "make":
        makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE)
    elif program == "pip":
        extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = re.search(r"\.\[(.*)\]", command).group(1).split(",")
        assert set(wanted) <= set(extras["project"]["optional-dependencies"])
    elif words[1:3] == ["-m", "benchmarks"]:
        assert words[3] in BENCHMARKS
    else:
        assert words[1:3] in (["-m", "pytest"], ["-m", "venv"], ["-m", "pip"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_in_running_text_exists(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for verb in re.findall(r"`(?:\$ )?edgekit ([a-z]+)", text):
        assert verb in VERBS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_and_heading_leads_there(page):
    for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        place = (page.parent / name) if name else page
        assert place.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings}


def test_every_verb_is_documented():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for verb in VERBS:
        assert f"edgekit {verb}" in text


def test_every_extra_is_in_the_readmes_table():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    for extra in project["optional-dependencies"]:
        assert f"`{extra}`" in text or extra == "keras"


def test_the_lock_names_no_host_and_has_a_hash_for_every_package():
    lines = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    text = "\n".join(lines).replace("\\\n", " ")
    pinned = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert len(pinned) > 50
    assert all("==" in line and "--hash=sha256:" in line for line in pinned)
