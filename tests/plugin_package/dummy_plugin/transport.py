"""A way to devices of a rack: whole jobs go to the agent's file, sessions to a process of it.

The rack's machines are processes of this one; a real one would move the job's files, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgekit.agent.bundle import write_bundle
from edgekit.device import DeviceProfile
from edgekit.errors import RuntimeFault
from edgekit.job import Job, JobResult
from edgekit.process import Child
from edgekit.transports.base import Transport
from edgekit.transports.session import Session


class RackTransport(Transport):
    """A machine of the rack.

    Args:
        shelf: Which.
    """

    batched = True

    def __init__(self, shelf: int) -> None:
        self._shelf = shelf

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> RackTransport:
        """What the table `[dummy-rack]` says; a key that it does not know is refused."""
        fields = profile.option_fields()
        transport = cls(fields.integer("shelf", low=1, high=40))
        fields.done()
        return transport

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        with tempfile.TemporaryDirectory() as folder:
            agent = write_bundle(Path(folder) / "agent.pyz")
            try:
                done = subprocess.run(
                    [sys.executable, str(agent)],
                    input=json.dumps(job.to_json()),
                    capture_output=True,
                    text=True,
                    timeout=timeout_s,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise RuntimeFault(f"the rack took longer than {timeout_s:g} s") from error
        if done.returncode not in (0, 1):  # 1 is an error that the agent tells itself
            last = done.stderr.strip().splitlines()[-3:]
            raise RuntimeFault(f"the agent ended with status {done.returncode}", *last)
        result = JobResult.from_json(json.loads(done.stdout))
        return replace(result, environment={**result.environment, "shelf": self._shelf})

    @contextmanager
    def session(self, job: Job) -> Iterator[Session]:
        """A process that keeps a model loaded, for `edgekit profile`."""
        with Child("edgekit.agent.session:handler") as child:
            yield Session(child.call, job)
