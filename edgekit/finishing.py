"""What a converted file gets before it is proven: its metadata; and words for what went wrong.

The last that changes a file: what runs, is judged and is published comes after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgekit.errors import ConversionError, EdgekitError
from edgekit.exporters.metadata.facts import Facts
from edgekit.exporters.worker import ENTRY
from edgekit.plan import ExportOrder, Step
from edgekit.process import ChildCrashed, ChildFailed, run_in_child
from edgekit.spec import InputSpec
from edgekit.tokenizing import tokenizer_file

# What TensorFlow says on every start and of every conversion, before its last words.
_NOISE = re.compile(r"^[IW]\d{4} |^(WARNING|INFO)\b|Warning: |warnings\.warn")


def finish(
    order: ExportOrder,
    step: Step,
    inputs: tuple[InputSpec, ...],
    folders: tuple[Path, Path],
    environment: Mapping[str, str],
) -> None:
    """Write a file anew with what it says of itself.

    Args:
        order: The export it belongs to.
        step: The conversion that made it.
        inputs: Of the model.
        folders: Where it lies, and an empty one for what becomes of it.
        environment: Variables for the process that does it.

    Raises:
        ConversionError: It could not be done, or changed more than that.
    """
    source, destination = folders
    request = {
        "do": "describe",
        "target": step.exporter.target,
        "source": str(source),
        "destination": str(destination),
        "facts": _facts(order, inputs).to_json(),
    }
    with named_failures(step.label):
        run_in_child(ENTRY, request, environment=dict(environment))


@contextmanager
def named_failures(label: str) -> Iterator[None]:
    """Whatever goes wrong in a converter's process, as an error that names the artifact."""
    try:
        yield
    except ChildCrashed as error:
        how = error.message.removeprefix(f"the process running {ENTRY} ")
        raise ConversionError(
            f"{label}: the converter's process {how}",
            *(line for line in error.details if not _NOISE.search(line)),
            hint="the other artifacts are not concerned; leave this one out with --target "
            "and --precision",
        ) from error
    except ChildFailed as error:
        # MLIR puts a source position of ours in front of its own words.
        reason = re.sub(r"\S+\.py:\d+:\d+: (error: )?", "", error.message)
        raise ConversionError(f"{label}: the converter failed: {reason}", *error.details) from error
    except ConversionError as error:
        raise _named(label, error) from error


def _named(label: str, error: ConversionError) -> ConversionError:
    """The same error, with the artifact's name in front if it isn't there yet."""
    if label.partition("-")[0] in error.message:
        return error
    named = EdgekitError.from_json({**error.to_json(), "message": f"{label}: {error.message}"})
    assert isinstance(named, ConversionError)
    return named


def _facts(order: ExportOrder, inputs: tuple[InputSpec, ...]) -> Facts:
    source, spec = order.source, order.source.spec
    return Facts(
        model=source.name,
        summary=spec.summary if spec else "",
        task=spec.task if spec else "",
        licence=spec.licence if spec else "",
        activation=order.activation,
        labels=order.classes,
        inputs=inputs,
        tokenizer=tokenizer_file(source.tokenizer) if source.tokenizer else None,
        origin=source.path if source.kind == "file" else None,
    )
