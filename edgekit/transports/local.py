"""This machine: one fresh process per job, which may crash without harm.

With another interpreter (`python`), the agent's zipapp is run there, so that environment needs
numpy and one runtime but not edgekit.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DeviceError
from edgekit.job import Job, JobResult
from edgekit.process import Child, ChildCrashed, ChildFailed
from edgekit.transports.base import Transport
from edgekit.transports.faults import fault
from edgekit.transports.session import Answering, Ask, Session

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

_ENTRY = "edgekit.agent.service:handler"
_SESSION = "edgekit.agent.session:handler"
_LONGEST_STEP_S = 600.0


class LocalTransport(Transport):
    """Jobs in child processes of this machine.

    Args:
        python: Interpreter of the environment that holds the runtime; the current one by default.
        named_in: The file that names the interpreter, for complaints.
        environment: Variables for the processes, besides what they inherit.
    """

    def __init__(
        self,
        python: str | Path | None = None,
        *,
        named_in: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = dict(environment or {})
        self._python = str(python) if python else sys.executable
        self._named_in = named_in or "the device's TOML file"

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> LocalTransport:
        """The device is this machine; `python` in its file names another interpreter."""
        profile.option_fields().done()
        return cls(profile.python, named_in=profile.path)

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        with self._importable() as environment, self._child(_ENTRY, environment) as child:
            try:
                answer = child.call(job.to_json(), timeout_s=timeout_s)
            except (ChildCrashed, json.JSONDecodeError) as error:
                if job.action == "probe" and not self._is_own():
                    raise self._no_agent(error) from error
                if not isinstance(error, ChildCrashed):
                    raise
                raise fault(job, error) from error
            except ChildFailed as error:
                if "No module named 'numpy'" in error.message and not self._is_own():
                    raise DeviceError(
                        f"the interpreter {self._python} has no numpy",
                        hint=f"{self._python} -m pip install numpy, or another `python` in "
                        f"{self._named_in}",
                    ) from error
                raise fault(job, error) from error
        return JobResult.from_json(answer)

    @contextmanager
    def session(self, job: Job) -> Iterator[Session]:
        """A fresh process that keeps a model loaded."""
        with self._asked(job) as ask:
            yield Session(ask, job)

    @contextmanager
    def answering(self, job: Job) -> Iterator[Answering]:
        """A fresh process that keeps a model loaded and answers samples."""
        with self._asked(job) as ask:
            yield Answering(ask, job)

    @contextmanager
    def _asked(self, job: Job) -> Iterator[Ask]:
        with self._importable() as environment, self._child(_SESSION, environment) as child:

            def ask(step: dict[str, Any]) -> Mapping[str, Any]:
                try:
                    return child.call(step, timeout_s=_LONGEST_STEP_S)
                except (ChildCrashed, ChildFailed) as error:
                    raise fault(job, error) from error

            try:
                yield ask
            finally:
                child.kill()  # it has nothing to put in order, and the next round waits

    def _child(self, entry: str, environment: Mapping[str, str]) -> Child:
        try:
            return Child(
                entry, environment={**environment, **self._environment}, python=self._python
            )
        except OSError as error:
            raise DeviceError(
                f"{self._python}: {error.strerror or error}",
                hint=f"`python` in {self._named_in} names the interpreter",
            ) from error

    def _no_agent(self, error: ChildCrashed | json.JSONDecodeError) -> DeviceError:
        said: tuple[str, ...] = ()
        if isinstance(error, ChildCrashed):
            ended = error.message.removeprefix(f"the process running {_ENTRY} ")
            said = (f"it {ended}", *error.details)
        return DeviceError(
            f"the interpreter {self._python} did not answer as edgekit's agent",
            *said,
            hint=f"`python` in {self._named_in} names an interpreter with numpy and the runtime",
        )

    def _is_own(self) -> bool:
        # By name: two virtual environments often link to the same file.
        return Path(self._python).absolute() == Path(sys.executable).absolute()

    @contextmanager
    def _importable(self) -> Iterator[dict[str, str]]:
        """Environment variables with which the interpreter finds edgekit's agent."""
        if self._is_own():
            # Where edgekit was imported from, whatever the working directory holds.
            yield _search_first(str(Path(__file__).resolve().parents[2]))
            return
        from edgekit.agent.bundle import write_bundle

        with tempfile.TemporaryDirectory(prefix="edgekit-agent-") as folder:
            yield _search_first(str(write_bundle(Path(folder) / "agent.pyz")), alone=True)


def _search_first(place: str, *, alone: bool = False) -> dict[str, str]:
    inherited = "" if alone else os.environ.get("PYTHONPATH", "")
    return {
        "PYTHONPATH": os.pathsep.join(part for part in (place, inherited) if part),
        "PYTHONSAFEPATH": "1",  # a numpy.py in the working directory is not numpy
    }
