"""Jobs and sessions on a board: paths are rewritten, files pushed, answers checked, outputs pulled.

Every figure comes from the board: the agent there measures, reads its own governor, memory and
heat, and the answer says on which host it was.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.agent.runner import OUTPUTS
from edgekit.errors import DeviceError, EdgekitError, MissingExtraError
from edgekit.extras import PACKAGES
from edgekit.files import digest_json
from edgekit.job import Job, JobResult
from edgekit.process import ChildCrashed, ChildFailed
from edgekit.transports.base import Transport
from edgekit.transports.faults import fault
from edgekit.transports.remote import packs
from edgekit.transports.remote.board import Board, Place, new_name
from edgekit.transports.remote.packs import Pack
from edgekit.transports.remote.runner import RemoteRunner
from edgekit.transports.remote.way import Link, Lost, Options
from edgekit.transports.session import Answering, Ask, Session

_LONGEST_STEP_S = 600.0


class RemoteTransport(Transport):
    """Another machine. Nothing is connected before the first job.

    Args:
        options: How it is reached.
    """

    batched = True

    def __init__(self, options: Options) -> None:
        self.options = options
        self._guard = threading.Lock()
        self._link: Link | None = None
        self._board: Board | None = None

    @abstractmethod
    def _new_link(self) -> Link:
        """The way there."""

    def close(self) -> None:
        """End the connections; processes on the board that are still asked end themselves."""
        with self._guard:
            link, board = self._link, self._board
            self._link = self._board = None
        if link is not None:
            if board is not None:
                with suppress(EdgekitError, Lost):
                    link.call(board.tidy())
            link.close()

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        link, board = self._opened()
        with self._explained(job, board):
            result = link.call(self._carry(link, board, job, timeout_s))
        return result

    @contextmanager
    def session(self, job: Job) -> Iterator[Session]:
        """A fresh process on the board that keeps a model loaded."""
        self.refuse_latency()
        with self._asked(job) as (ask, there):
            yield Session(ask, there)

    @contextmanager
    def answering(self, job: Job) -> Iterator[Answering]:
        """A fresh process on the board that keeps a model loaded and answers samples."""
        with self._asked(job) as (ask, there):
            yield Answering(ask, there)

    @contextmanager
    def _asked(self, job: Job) -> Iterator[tuple[Ask, Job]]:
        """How the process is asked, and the job with paths of the board's."""
        link, board = self._opened()
        with self._explained(job, board):
            inputs = self._samples(job)
            runner, there = link.call(self._begin(link, board, job, "session", inputs))

        def ask(step: dict[str, Any]) -> Mapping[str, Any]:
            with self._explained(job, board):
                answer = link.call(runner.ask(step, _LONGEST_STEP_S)).answer
            environment = answer.get("environment")
            if isinstance(environment, Mapping):
                return {**answer, "environment": link.call(self._placed(link, environment, runner))}
            return answer

        try:
            yield ask, there
        finally:
            link.call(runner.end())

    def _opened(self) -> tuple[Link, Board]:
        with self._guard:
            if self._link is None or self._board is None:
                self._link = self._new_link()
                self._board = Board(self._link)
            return self._link, self._board

    async def _carry(
        self, link: Link, board: Board, job: Job, timeout_s: float | None
    ) -> JobResult:
        inputs = self._samples(job)
        runner, there = await self._begin(link, board, job, "job", inputs)
        try:
            answered = await runner.ask(there.to_json(), timeout_s)
            result = JobResult.from_json(answered.answer)
            if job.outputs is not None and there.outputs is not None:
                await self._fetch(link, job.outputs, there.outputs, answered.files)
        finally:
            await runner.end()
            if inputs is not None and self.part is not None:
                board.drop(inputs)
        measurement = result.measurement
        if measurement is not None:
            measured_in = await self._placed(link, measurement.environment, runner)
            measurement = replace(measurement, environment=measured_in)
        return replace(
            result,
            environment=await self._placed(link, result.environment, runner),
            measurement=measurement,
        )

    def _samples(self, job: Job) -> Pack | None:
        """What a job is fed; a part of more under a name of its own, since it is dropped after."""
        inputs = packs.samples_pack(Path(job.inputs)) if job.inputs else None
        if inputs is None or self.part is None:
            return inputs
        return replace(inputs, digest=digest_json([inputs.digest, new_name()]))

    async def _begin(
        self, link: Link, board: Board, job: Job, kind: str, inputs: Pack | None
    ) -> tuple[RemoteRunner, Job]:
        """A process on the board to be asked, and the job with the paths that it has there."""
        model = packs.model_pack(Path(job.model)) if job.model else None
        wanted = [pack for pack in (model, inputs) if pack is not None]

        async def prepare() -> Place:
            place = await board.place()
            await board.deliver(*wanted)
            return place

        place = await link.patiently(prepare)
        folder = place.run(new_name())
        there = _moved(job, place, folder, model, inputs)
        relay = (str(place.agent), "--relay", str(folder), kind, f"{self.options.keep_s:g}")
        return RemoteRunner(
            link,
            start=self.options.command(*relay, "--new"),
            attach=self.options.command(*relay),
        ), there

    async def _fetch(self, link: Link, here: str, there: str, files: tuple[Any, ...]) -> None:
        outputs = packs.outputs_of(files, Path(here).name)

        async def fetch() -> None:
            async with link.files() as there_files:
                for output in outputs:
                    source = PurePosixPath(there).parent
                    await packs.pull(there_files, source, output, Path(here).parent)

        await link.patiently(fetch)

    async def _placed(
        self, _link: Link, environment: Mapping[str, Any], runner: RemoteRunner
    ) -> dict[str, Any]:
        """What the agent said of the machine, and which one it is."""
        return {**environment, "host": self.options.host, "nodename": runner.nodename}

    @contextmanager
    def _explained(self, job: Job, board: Board) -> Iterator[None]:
        try:
            yield
        except (ChildCrashed, ChildFailed) as error:
            raise fault(job, error) from error
        except MissingExtraError as error:
            raise self._not_there(error, board) from error

    def _not_there(self, error: MissingExtraError, board: Board) -> EdgekitError:
        if error.message.endswith("asyncssh, which is not installed"):
            return error  # here, not there
        package = next((p for p in PACKAGES if f"needs {p.distribution}," in error.message), None)
        name = package.distribution if package else "the runtime"
        return DeviceError(
            f"{self.options.shown}: {error.message} there", hint=board.install_command(name)
        )


def _moved(
    job: Job, place: Place, folder: PurePosixPath, model: Pack | None, inputs: Pack | None
) -> Job:
    """A job with the paths that its files have on the board."""
    changes: dict[str, str] = {}
    if model is not None:
        changes["model"] = str(place.pack(model) / Path(job.model).name)
    if inputs is not None and job.inputs is not None:
        samples = Path(job.inputs)
        name = () if samples.is_dir() else (samples.name,)
        changes["inputs"] = str(place.pack(inputs).joinpath(*name))
    if job.outputs is not None:
        changes["outputs"] = str(folder / OUTPUTS / Path(job.outputs).name)
    return replace(job, **changes)  # type: ignore[arg-type]
