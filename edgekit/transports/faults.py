"""What a process that ran a job died of, in the words of the job."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import RuntimeFault
from edgekit.job import Job
from edgekit.process import ChildCrashed, ChildFailed


def fault(job: Job, error: ChildCrashed | ChildFailed) -> RuntimeFault:
    """The error of a job whose process crashed or failed."""
    what = f"{job.runtime or 'the agent'}: {job.action} {Path(job.model).name}"
    return RuntimeFault(f"{what.strip()}: {error.message}", *error.details)
