"""An arm64 board, emulated: qemu's user mode runs the agent in a root of arm64 Debian.

The arithmetic is the board's, the time is not: whatever a clock says there is of qemu, so latency
is refused. `devices/emulated-arm64.sh` makes the root.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.agent.bundle import write_bundle
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.job import Job, JobResult
from edgekit.process import Child, ChildCrashed, ChildFailed
from edgekit.transports.base import Transport

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

_ENTRY = "edgekit.agent.service:handler"
_PYTHON = "/usr/bin/python3"
_ROOT = "~/.cache/edgekit/arm64"
# LiteRT reads these to choose its kernels, and drops XNNPACK without saying so where it cannot.
_NEEDED = ("proc/cpuinfo", "sys/devices/system/cpu/possible", _PYTHON.lstrip("/"))


class EmulatedTransport(Transport):
    """Jobs in a root of another architecture, by qemu's user mode.

    Args:
        root: Its folder.
        cpu: The processor that qemu plays, by qemu's name.
        named_in: The file that names the root, for complaints.
    """

    batched = True
    no_latency = "emulated: qemu computes what the board would, and not as fast or as slowly"

    def __init__(self, root: Path, *, cpu: str = "cortex-a72", named_in: object = None) -> None:
        self._root = root
        self._cpu = cpu
        self._named_in = named_in or "the device's TOML file"

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> EmulatedTransport:
        """`root` and `cpu` of its table."""
        options = profile.option_fields()
        root = Path(options.text("root", _ROOT, longest=4096)).expanduser()
        cpu = options.text("cpu", "cortex-a72", longest=100)
        options.done()
        if profile.path is not None:
            root = profile.path.parent / root
        return cls(root, cpu=cpu, named_in=profile.path)

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        self._check()
        with self._inside(job) as (agent, moved):
            prefix: tuple[str, ...] = ("chroot", str(self._root))
            if os.geteuid() != 0:
                prefix = ("unshare", "--map-root-user", *prefix)
            environment = {
                "PYTHONPATH": agent,
                "PYTHONSAFEPATH": "1",
                "QEMU_CPU": self._cpu,
                "HOME": "/root",
                "TMPDIR": "/tmp",  # noqa: S108  of the root, which is only ours
            }
            try:
                with Child(_ENTRY, environment=environment, python=_PYTHON, prefix=prefix) as child:
                    answer = child.call(moved.to_json(), timeout_s=timeout_s)
            except (ChildCrashed, ChildFailed, json.JSONDecodeError) as error:
                raise self._fault(job, error) from error
        result = JobResult.from_json(answer)
        self._refuse_dropped(job, result)
        emulator = {"emulator": f"qemu-user, {self._cpu}", "root": str(self._root)}
        return replace(result, environment={**result.environment, **emulator})

    def _check(self) -> None:
        missing = [name for name in _NEEDED if not (self._root / name).is_file()]
        if missing:
            raise DeviceError(
                f"{self._root}: no arm64 root: {missing[0]} is not there",
                limit=f"emulated-arm64.root in {self._named_in}",
                hint="devices/emulated-arm64.sh FOLDER makes one, as root, in some minutes",
            )

    def _refuse_dropped(self, job: Job, result: JobResult) -> None:
        """LiteRT's usual delegate vanishes without a word where it cannot read the processor."""
        found = result.placement
        usual = job.runtime == "litert" and job.delegate is None
        if usual and found is not None and not found.delegated:
            raise DeviceError(
                f"LiteRT dropped XNNPACK under qemu: none of {found.ops} ops ran on it",
                f"read from: {found.evidence}",
                limit=f"proc/cpuinfo in {self._root}",
                hint="devices/emulated-arm64.sh writes the files it reads; @delegate=none asks for "
                "the plain kernels",
            )

    @contextmanager
    def _inside(self, job: Job) -> Iterator[tuple[str, Job]]:
        """The agent and the job's files in the root; its outputs are fetched at the end."""
        place = self._root / "tmp"
        with tempfile.TemporaryDirectory(prefix="edgekit-", dir=place) as folder:
            here = Path(folder)
            there = Path("/") / here.relative_to(self._root)
            here.chmod(0o755)
            write_bundle(here / "agent.pyz")
            moved = job
            if job.model:
                model = Path(job.model)
                # A model of several files lies in its folder with them.
                for part in model.parent.glob(f"{model.stem}.*"):
                    shutil.copyfile(part, here / part.name)
                moved = replace(moved, model=str(there / model.name))
            if job.inputs:
                given = Path(job.inputs)
                copy = shutil.copytree if given.is_dir() else shutil.copyfile
                copy(given, here / given.name)
                moved = replace(moved, inputs=str(there / given.name))
            if job.outputs:
                moved = replace(moved, outputs=str(there / f"outputs-{Path(job.outputs).name}"))
            yield str(there / "agent.pyz"), moved
            if job.outputs and moved.outputs:
                _fetch(here / Path(moved.outputs).name, Path(job.outputs))

    def _fault(self, job: Job, error: Exception) -> DeviceError | RuntimeFault:
        message = getattr(error, "message", str(error))
        details = getattr(error, "details", ())
        if job.action == "probe":
            return DeviceError(
                f"{self._root}: the arm64 root did not answer as edgekit's agent: {message}",
                *details,
                hint="are qemu-user-static and binfmt-support there? "
                "update-binfmts --enable qemu-aarch64",
            )
        return RuntimeFault(
            f"{job.runtime}: {job.action} {Path(job.model).name}: {message}", *details
        )


def _fetch(made: Path, wanted: Path) -> None:
    with suppress(FileNotFoundError):
        if made.is_dir():
            shutil.copytree(made, wanted, dirs_exist_ok=True)
        else:
            shutil.copyfile(made, wanted)
