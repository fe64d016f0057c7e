"""The action "run": outputs of a model for samples on disk, one sample at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent.runtimes.base import LoadedModel, first_line
from edgekit.agent.samples import SampleReader, SampleWriter
from edgekit.errors import EdgekitError, RuntimeFault
from edgekit.job import Job, NonFinite

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def run(job: Job, model: LoadedModel) -> tuple[int, NonFinite | None]:
    """Run every sample of `job.inputs` and write `job.outputs`.

    Returns:
        The number of samples, and the NaN or infinite outputs if there were any.

    Raises:
        DataError: The samples don't fit the model.
        RuntimeFault: The runtime failed on a sample.
    """
    import numpy as np

    assert job.inputs is not None
    assert job.outputs is not None
    reader = SampleReader(Path(job.inputs), model.inputs)
    writer = SampleWriter(Path(job.outputs), model.outputs, len(reader))
    values = samples = 0
    first = -1
    for index in range(len(reader)):
        arrays = reader[index]
        try:
            outputs = model(arrays)
        except EdgekitError:
            raise
        except Exception as error:
            raise RuntimeFault(
                f"the model failed on sample {index}: {first_line(error)}"
            ) from error
        bad = sum(
            int((~np.isfinite(array)).sum())
            for array in writer.write(index, outputs)
            if array.dtype.kind == "f"
        )
        if bad:
            values += bad
            samples += 1
            first = index if first < 0 else first
    writer.close()
    return len(reader), NonFinite(values, samples, first) if values else None
