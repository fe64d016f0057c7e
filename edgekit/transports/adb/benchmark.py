"""A phone without a Python: LiteRT's own benchmark_model is pushed there and tells times.

The tool sums its calls up and lists none. So that every sample stays one call that was timed, a
process is asked for two timed calls after its warm-up, which it gives singly, and a block is one
process. It computes on random values, hides its outputs and its processor time, and does not time
the setting of inputs: `call_ns` and `cpu_ns` are 0, which means unknown.
"""

from __future__ import annotations

import hashlib
import shlex
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit import __version__
from edgekit.agent.cache import FILES, PART
from edgekit.errors import DeviceError, FileError, RuntimeFault, UsageError
from edgekit.fields import Fields, printable
from edgekit.job import Job, JobResult
from edgekit.transports.adb import phone_facts
from edgekit.transports.adb.link import AdbLink
from edgekit.transports.adb.options import Options
from edgekit.transports.adb.output import LONGEST, Output, placement_of, read_output
from edgekit.transports.base import Transport
from edgekit.transports.remote import packs
from edgekit.transports.remote.board import new_name
from edgekit.transports.remote.packs import Pack
from edgekit.transports.remote.way import Done
from edgekit.transports.session import Session

RUNTIME = "benchmark-model"
CALLS = 2  # of a process, each given singly
_STEP_S = 600.0
_LEAST_WORK_S = 0.1
_KEEP_DAYS = 30
_SIGNALS = 128  # a shell adds it to the number
_TIMED_BY = "benchmark_model: two calls of each process, to 1 µs, on random values"

# `runtime.delegate` → flags, and the name under which the tool says that it was applied.
_DELEGATES = {
    "xnnpack": (("--use_xnnpack=true",), "XNNPACK"),
    "gpu": (("--use_gpu=true",), "GPU"),
    # Without it NNAPI computes with its reference on the processor, and says that it was applied.
    "nnapi": (("--use_nnapi=true", "--disable_nnapi_cpu=true"), "NNAPI"),
}


class BenchmarkTransport(Transport):
    """A phone, and benchmark_model on it. Nothing is connected before the first job.

    Args:
        options: How it is reached; `benchmark` is set.
    """

    def __init__(self, options: Options) -> None:
        assert options.benchmark is not None
        self.options = options
        self._binary = options.benchmark
        self._guard = threading.Lock()
        self._link: AdbLink | None = None
        self._there: dict[str, PurePosixPath] = {}

    @classmethod
    def from_profile(cls, profile: Any) -> Transport:
        """As `AdbTransport.from_profile`."""
        from edgekit.transports.adb import AdbTransport

        return AdbTransport.from_profile(profile)

    def close(self) -> None:
        """Let go of the phone."""
        with self._guard:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        if job.action == "probe":
            environment = self._environment()
            version = {"version": self._version()}
            return JobResult(environment={**environment, "runtimes": {RUNTIME: version}})
        if job.action != "measure":
            what = "outputs" if job.action == "run" else f"pass {job.action!r}"
            raise DeviceError(
                f"benchmark_model tells times, and no {what}",
                hint="a Python on the phone runs edgekit's agent: `python` in [adb]; docs/adb.md",
            )
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self.session(job) as session:
            began, made = time.monotonic(), 0
            while made < job.timing.min_calls or time.monotonic() - began < job.timing.seconds:
                made += session.block(0.0, CALLS)
                if end is not None and time.monotonic() > end:
                    raise RuntimeFault(f"{RUNTIME}: {made} calls took longer than {timeout_s:g} s")
            measurement = session.measurement()
        return JobResult(
            environment=measurement.environment,
            placement=measurement.placement,
            measurement=measurement,
        )

    @contextmanager
    def session(self, job: Job) -> Iterator[Session]:
        """The tool on the phone: a fresh process for every block."""
        if job.runtime != RUNTIME:
            raise DeviceError(
                f"{job.runtime} does not run here: this phone is measured with {RUNTIME}",
                hint=f'prefer = ["{RUNTIME}"] in [runtime] of {self.options.where}',
            )
        steps = _Steps(self, job)
        yield Session(steps.ask, job)

    def opened(self) -> AdbLink:
        """The way there."""
        with self._guard:
            if self._link is None:
                self._link = AdbLink(self.options)
            return self._link

    def place(self, pack: Pack) -> PurePosixPath:
        """Folder of a pack on the phone, where it is pushed unless it is there and whole.

        Raises:
            DeviceError: It does not arrive, or the phone is gone.
        """
        if pack.digest not in self._there:
            link = self.opened()
            self._there[pack.digest] = link.call(link.patiently(lambda: _deliver(link, pack)))
        return self._there[pack.digest]

    def tool(self) -> str:
        """Path of the tool on the phone.

        Raises:
            FileError: It is not on this machine.
        """
        if not self._binary.is_file():
            raise FileError(
                f"{self._binary}: no such file",
                hint=f"`benchmark` in [adb] of {self.options.where}: see docs/adb.md",
            )
        return str(self.place(packs.files_pack([self._binary])) / self._binary.name)

    def run_tool(self, words: list[str], cpu: int | None) -> Done:
        """Run the tool there to its end.

        Raises:
            DeviceError: The phone is gone, or it takes too long.
        """
        link = self.opened()
        pinned = [] if cpu is None else ["taskset", f"{1 << cpu:x}"]
        path = shlex.quote(self.tool())
        line = f"chmod 755 {path}; {shlex.join(pinned)} {path} {shlex.join(words)} 2>&1"

        async def run() -> Done:
            return await link.run(line, limit_s=_STEP_S, longest=LONGEST)

        return link.call(link.patiently(run))

    def _version(self) -> str:
        self.tool()
        return "sha256 " + hashlib.sha256(self._binary.read_bytes()).hexdigest()[:12]

    def _environment(self) -> dict[str, Any]:
        link = self.opened()
        facts = link.call(phone_facts(link, {}))
        return {"edgekit": __version__, "system": "Android", **facts}

    def facts(self, job: Job) -> dict[str, Any]:
        """The environment of a measurement, as it is now."""
        return {
            **self._environment(),
            "runtime": RUNTIME,
            "runtime_version": self._version(),
            "threads": job.threads,
            "pinned_cpu": job.cpu,
            "affinity": None if job.cpu is None else [job.cpu],
            "timed_by": _TIMED_BY,
        }


class _Steps:
    """The steps of a session (`edgekit.agent.session`), each by processes of the tool."""

    def __init__(self, transport: BenchmarkTransport, job: Job) -> None:
        self._transport, self._job = transport, job
        self._flags, self._name = _flags(job.delegate)
        self._warmup = max(1, job.timing.warmup_calls)

    def ask(self, step: dict[str, Any]) -> Mapping[str, Any]:
        fields = Fields(step, "step", UsageError)
        kind = fields.text("step", choices=("open", "block", "work", "facts"))
        if kind == "open":
            self._job = Job.from_json(fields.mapping("job"))
            output = self._measured()
            return {
                "load_ns": output.init_us * 1000,
                "first_ns": output.first_us * 1000,
                "warmup_ns": [],
            }
        if kind == "facts":
            return self._facts()
        seconds = fields.number("seconds", high=3600.0)
        if kind == "work":
            if seconds >= _LEAST_WORK_S:
                self._run(f"--warmup_runs=1 --num_runs=1 --min_secs={seconds:g}")
            return {}
        samples: list[int] = []
        wanted = fields.integer("min_calls", low=1, high=100_000)
        while len(samples) < wanted:
            samples += [us * 1000 for us in self._measured().samples_us]
        return {"samples_ns": samples, "call_ns": [0] * len(samples), "cpu_ns": [0] * len(samples)}

    def _measured(self) -> Output:
        printed = self._run(f"--warmup_runs={self._warmup} --num_runs={CALLS} --min_secs=0")
        return self._checked(read_output(printed, calls=CALLS, wanted=self._name))

    def _facts(self) -> dict[str, Any]:
        # In a process of its own: the profile and the watch over memory cost time.
        printed = self._run(
            "--warmup_runs=1 --num_runs=1 --min_secs=0 --enable_op_profiling=true "
            "--report_peak_memory_footprint=true"
        )
        output = self._checked(read_output(printed, calls=1, wanted=self._name))
        return {
            "peak_rss_bytes": output.peak_rss_bytes,
            "placement": placement_of(output).to_json(),
            "environment": self._transport.facts(self._job),
        }

    def _run(self, flags: str) -> bytes:
        job, transport = self._job, self._transport
        model = packs.model_pack(Path(job.model))
        graph = transport.place(model) / Path(job.model).name
        words = [f"--graph={graph}", f"--num_threads={job.threads}", "--warmup_min_secs=0"]
        words += ["--max_secs=3600", *self._flags, *flags.split()]
        done = transport.run_tool(words, self._job.cpu)
        if done.status is not None and done.status > _SIGNALS:
            told = done.output.decode("utf-8", "replace").splitlines()[-3:]
            raise RuntimeFault(
                f"{RUNTIME}: {self._job.action} {Path(job.model).name}: the process was ended by "
                f"signal {done.status - _SIGNALS}",
                *(str(printable(line))[:300] for line in told),
            )
        return done.output

    def _checked(self, output: Output) -> Output:
        """A delegate that was asked for and is not said to be applied is an error."""
        asked = self._job.delegate
        if asked == "none":
            if output.applied or output.replaced:
                name = output.applied or output.replaced[0].name
                raise DeviceError(f"no delegate was asked for, and {name} took nodes")
        elif self._name is not None and output.applied != self._name:
            told = f"it applied {output.applied}" if output.applied else "it says of none applied"
            raise DeviceError(
                f"the delegate {asked!r} was asked for, and benchmark_model did not use it: {told}",
                hint="is this benchmark_model built with that delegate, and has the phone it?",
            )
        return output


def _flags(delegate: str | None) -> tuple[tuple[str, ...], str | None]:
    """Flags of a delegate, and its name in the log; None where none has to be applied."""
    if delegate is None:
        return (), None
    if delegate == "none":
        return ("--use_xnnpack=false",), None
    if delegate.lower() in _DELEGATES:
        return _DELEGATES[delegate.lower()]
    if delegate.lower().startswith("nnapi:"):
        flags, name = _DELEGATES["nnapi"]
        return (*flags, f"--nnapi_accelerator_name={delegate[6:]}"), name
    if delegate.startswith("/") and delegate.endswith(".so"):
        return (f"--external_delegate_path={delegate}",), "EXTERNAL"
    raise DeviceError(
        f"benchmark_model has no delegate {delegate!r}",
        hint=f"one of: none, {', '.join(_DELEGATES)}, nnapi:NAME, or a library's path on the phone",
    )


async def _deliver(link: AdbLink, pack: Pack) -> PurePosixPath:
    """Push a pack unless it is there and whole; its folder there."""
    files = PurePosixPath(link.options.folder) / FILES
    place = files / pack.digest
    if await _is_whole(link, pack, place):
        return place
    packs.refuse_too_large(pack, await _free_bytes(link, files), link.options)
    async with link.files() as way:
        await way.make_folder(str(files))
        await packs.push(way, pack, place, files / f"{PART}{new_name()}")
    if not await _is_whole(link, pack, place):
        raise DeviceError(
            f"{link.options.shown}: {', '.join(pack.files)} did not arrive as it was sent",
            hint="did the file change meanwhile? is the phone's storage full?",
        )
    return place


async def _is_whole(link: AdbLink, pack: Pack, place: PurePosixPath) -> bool:
    """Compare digests there; what is damaged is removed, and so is what nobody used for long."""
    folder = shlex.quote(str(place))
    names = shlex.join(pack.files)
    done = await link.run(f"cd {folder} 2>/dev/null && touch . && sha256sum {names}")
    if done.status == 127:
        raise DeviceError(f"{link.options.shown}: there is no sha256sum there", hint="Android 8+")
    found = {
        line.partition(" ")[2].strip(" *"): line.partition(" ")[0]
        for line in done.output.decode("utf-8", "replace").splitlines()
    }
    if done.status == 0 and all(
        found.get(entry["name"]) == entry["sha256"] for entry in pack.entries
    ):
        return True
    old = f"find . -mindepth 1 -maxdepth 1 -mtime +{_KEEP_DAYS} -exec rm -rf {{}} +"
    parent = shlex.quote(str(place.parent))
    await link.run(f"rm -rf {folder}; cd {parent} 2>/dev/null && {old} 2>/dev/null; true")
    return False


async def _free_bytes(link: AdbLink, files: PurePosixPath) -> int:
    """Free space where packs lie.

    Raises:
        DeviceError: The phone does not say.
    """
    folder = shlex.quote(str(files))
    done = await link.run(f"mkdir -p {folder} && df -k {folder}")
    fields = done.output.decode("utf-8", "replace").splitlines()[-1:]
    words = fields[0].split() if fields else []
    if done.status or len(words) < 4 or not words[3].isdecimal() or len(words[3]) > 15:
        told = str(printable(done.words.replace("\n", " ")))[-300:]
        raise DeviceError(
            f"{link.options.shown}: {told or 'it does not say what is free'}",
            hint=f"`folder` in [adb] of {link.options.where} names another place there",
        )
    return int(words[3]) * 1024
