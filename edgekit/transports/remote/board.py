"""What a board must have before a job can go there: a Python, numpy, the agent, the files.

Asked once per link. The first question is put to a bare interpreter, which may be of any age; all
others to the agent, once it lies there under its digest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.agent.bundle import bundle_bytes
from edgekit.agent.cache import AGENTS, FILES, PART, RUNS
from edgekit.errors import DeviceError, EdgekitError
from edgekit.fields import Fields, printable
from edgekit.files import process_lives
from edgekit.transports.remote import packs
from edgekit.transports.remote.packs import Pack
from edgekit.transports.remote.way import Done, Link

OLDEST_PYTHON = (3, 10)
_CHECKED_S = 1200.0  # for which a pack that was there is taken to be there
_MOST_RUNS = 10_000
_TIDYING_S = 3.0

# For any Python from 2.7 on, read from stdin: no shell has to quote it.
_GREETING = """\
import hashlib, json, os, sys
folder, digest = os.path.expanduser(sys.argv[1]), sys.argv[2]
for place in (folder, os.path.join(folder, "agents"), os.path.join(folder, "runs")):
    try:
        os.makedirs(place, 0o700)
    except OSError:
        if not os.path.isdir(place):
            raise
agent = os.path.join(folder, "agents", digest + ".pyz")
there = False
if os.path.isfile(agent):
    with open(agent, "rb") as stream:
        there = hashlib.sha256(stream.read()).hexdigest() == digest
    if there:
        os.utime(agent, None)
    else:
        os.remove(agent)
numpy = True
try:
    import numpy
    numpy = numpy.__version__
except ImportError as error:
    numpy = None
print(json.dumps({
    "python": list(sys.version_info[:3]), "numpy": numpy, "folder": os.path.abspath(folder),
    "agent": there, "system": sys.platform, "runs": os.listdir(os.path.join(folder, "runs")),
}))
"""

_began = time.time_ns()
_numbers = count()


@dataclass(frozen=True, slots=True)
class Place:
    """Where things lie on a board.

    Attributes:
        folder: Of edgekit there, absolute.
        agent: The agent's zipapp.
    """

    folder: PurePosixPath
    agent: PurePosixPath

    def run(self, name: str) -> PurePosixPath:
        """Folder of a run."""
        return self.folder / RUNS / name

    def pack(self, pack: Pack) -> PurePosixPath:
        """Folder of a pack."""
        return self.folder / FILES / pack.digest


class Board:
    """The far end of a link.

    Args:
        link: The way there.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._place: Place | None = None
        self._checked: dict[str, float] = {}
        self._left_behind: list[str] = []
        self._dropped: list[str] = []
        self._one_at_a_time = asyncio.Lock()

    async def place(self) -> Place:
        """Look at the board, and put the agent there where it is not.

        Raises:
            Lost: The connection was lost.
            DeviceError: It has no Python that is young enough, or no numpy.
        """
        async with self._one_at_a_time:
            return await self._find_place()

    async def _find_place(self) -> Place:
        if self._place is None:
            agent = bundle_bytes()
            digest = hashlib.sha256(agent).hexdigest()
            greeting = await self._greet(digest)
            folder = PurePosixPath(greeting.text("folder"))
            if not folder.is_absolute() or ".." in folder.parts:
                raise greeting.fail("folder", f"{str(folder)!r:.80} is no folder's path")
            place = Place(folder, folder / AGENTS / f"{digest}.pyz")
            if not greeting.flag("agent"):
                await self._push_agent(agent, place)
            self._left_behind = [
                name
                for name in greeting.items("runs", most=_MOST_RUNS)
                if isinstance(name, str) and _is_left_behind(name)
            ]
            self._place = place
        return self._place

    def drop(self, pack: Pack) -> None:
        """Have a pack removed when the board is asked for the next one, or by `tidy`."""
        self._checked.pop(pack.digest, None)
        self._dropped.append(pack.digest)

    async def tidy(self) -> None:
        """Remove what is to be dropped; a board that is out of reach keeps it until it is old."""
        if self._dropped and self._link.is_there:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TIDYING_S), self._one_at_a_time:
                    await self._look([])

    async def deliver(self, *wanted: Pack) -> None:
        """Push the packs that are not there, or not whole.

        Raises:
            Lost: The connection was lost.
            DeviceError: They don't fit, or are not there afterwards.
        """
        async with self._one_at_a_time:
            await self._deliver(wanted)

    async def _deliver(self, wanted: Sequence[Pack]) -> None:
        now = time.monotonic()
        new = [each for each in wanted if now - self._checked.get(each.digest, -1e9) > _CHECKED_S]
        if not new and not self._left_behind:
            return
        place = await self._find_place()
        there, free = await self._look(new)
        absent = [each for each in new if each.digest not in there]
        for pack in absent:
            packs.refuse_too_large(pack, free, self._link.options)
            free -= pack.bytes
        if absent:
            async with self._link.files() as files:
                for pack in absent:
                    part = place.folder / FILES / f"{PART}{new_name()}"
                    await packs.push(files, pack, place.pack(pack), part)
            there, _ = await self._look(new)
        for pack in new:
            if pack.digest not in there:
                names = ", ".join(pack.files)
                raise DeviceError(
                    f"{self._link.options.shown}: {names} did not arrive as it was sent",
                    hint="did the file change meanwhile? does the board's card fail?",
                )
            self._checked[pack.digest] = now

    async def _greet(self, digest: str) -> Fields:
        options = self._link.options
        done = await self._link.run(
            options.command("-", options.folder, digest), _GREETING.encode()
        )
        try:
            greeting = Fields(_last_line(done), "greeting", DeviceError)
        except ValueError:
            raise self._no_python(done) from None
        version = tuple(greeting.integers("python", most=3, low=0, high=10_000))
        shown = ".".join(map(str, version))
        if version < OLDEST_PYTHON:
            raise DeviceError(
                f"{options.shown}: {options.python_shown} is Python {shown} there; 3.10 is needed",
                hint=f"`python` in {options.table} of {options.where} names another one",
            )
        if greeting.optional_text("numpy") is None:
            raise DeviceError(
                f"{options.shown}: numpy is not installed there for {options.python_shown}",
                hint=self.install_command("numpy"),
            )
        return greeting

    def install_command(self, package: str) -> str:
        """What to run on the board to get a package there."""
        return f"on the board: {self._link.options.python_shown} -m pip install {package}"

    def _no_python(self, done: Done) -> DeviceError:
        options = self._link.options
        words = [str(printable(line)) for line in done.words.splitlines()[-3:]]
        if done.status in (126, 127):
            return DeviceError(
                f"{options.shown}: there is no {options.python_shown} there",
                *words,
                hint=f"`python` in {options.table} of {options.where} names the interpreter there",
            )
        ended = "was killed" if done.status is None else f"ended with status {done.status}"
        return DeviceError(f"{options.shown}: {options.python_shown} there {ended}", *words)

    async def _push_agent(self, agent: bytes, place: Place) -> None:
        part = place.agent.with_name(f"{PART}{new_name()}")
        with tempfile.TemporaryDirectory(prefix="edgekit-agent-") as folder:
            here = Path(folder) / "agent.pyz"
            here.write_bytes(agent)
            async with self._link.files() as files:
                await files.put(here, str(part))
                await files.move(str(part), str(place.agent))

    async def _look(self, wanted: list[Pack]) -> tuple[set[str], int]:
        options, place = self._link.options, await self._find_place()
        question = {
            "packs": {pack.digest: [dict(entry) for entry in pack.entries] for pack in wanted},
            "keep_bytes": options.cache_mb * 10**6,
            "end": self._left_behind[:200],
            "drop": (dropped := self._dropped[:200]),
        }
        command = options.command(str(place.agent), "--cache", str(place.folder))
        done = await self._link.run(command, json.dumps(question).encode())
        self._left_behind = []
        self._dropped = [digest for digest in self._dropped if digest not in dropped]
        try:
            answer = Fields(_last_line(done), "cache", DeviceError)
        except ValueError:
            words = [str(printable(line)) for line in done.words.splitlines()[-3:]]
            raise DeviceError(f"{options.shown}: the agent did not answer", *words) from None
        error = answer.optional_mapping("error")
        if error is not None:
            raise EdgekitError.from_json(printable(error))
        there = {str(digest) for digest in answer.items("there", most=1024)}
        return there, answer.integer("free", high=2**63)


def _last_line(done: Done) -> Any:
    """The JSON that a command printed; before it, the shell's start-up files may have spoken."""
    return json.loads(done.output.strip().rpartition(b"\n")[2])


def new_name() -> str:
    """A name for a run that says whose it is: this process of this machine."""
    return f"{_machine()}-{os.getpid()}-{_began}-{next(_numbers)}"


def _is_left_behind(name: str) -> bool:
    """Whether a run belongs to a process of this machine that is no more."""
    machine, pid, began, *_ = (*name.split("-"), "", "", "")
    if machine != _machine() or not pid.isdigit() or len(pid) > 10 or not name.isascii():
        return False
    if int(pid) == os.getpid():
        return began != str(_began)
    return not process_lives(int(pid))


def _machine() -> str:
    """This machine, its boot and its process numbers, without telling which it is."""
    facts = [socket.gethostname(), str(uuid.getnode())]
    for place in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        path = Path(place)
        try:
            facts.append(str(path.readlink()) if path.is_symlink() else path.read_text("ascii"))
        except OSError:
            facts.append("")
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]
