"""Which conversion steps an export takes, in which order, and how each result is known again.

Follows the sources that exporters declare: keras → tflite, keras → onnx → openvino. Pure data: a
plan is made and printed without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit import registry
from edgekit.artifact import artifact_label
from edgekit.datasets import Dataset
from edgekit.errors import UsageError
from edgekit.exporters.base import FILE, KERAS, Exporter
from edgekit.files import digest_json
from edgekit.manifest import FORMAT, PRECISIONS
from edgekit.models import ModelSource
from edgekit.ranges.limits import AUTO
from edgekit.spec import Gate

EVALUATION_SPLIT = "test"

# Steps between the source and whatever is calibrated: `edgekit.quantization.rewrite`, then
# `edgekit.quantization.condition`.
REWRITTEN = "rewritten"
CONDITIONED = "conditioned"


CALIBRATED = ("int8", "16x8")  # precisions whose ranges come from calibration samples


@dataclass(frozen=True, slots=True)
class Start:
    """What a chain begins with: the source as it is, rewritten, conditioned, or both.

    Attributes:
        rewritten: Whether the rewrites are in it that hold somewhere.
        conditioned: Whether it is conditioned, after that.
    """

    rewritten: bool = False
    conditioned: bool = False

    @property
    def links(self) -> tuple[str, ...]:
        """The chain up to here."""
        given = ((REWRITTEN, self.rewritten), (CONDITIONED, self.conditioned))
        return (KERAS, *(link for link, there in given if there))

    @property
    def label(self) -> str:
        """A name that says what it is: "keras", or those of its steps."""
        return "-".join(self.links[1:]) or KERAS

    @property
    def before(self) -> tuple[Start, ...]:
        """What it is made from, the source apart."""
        return (replace(self, conditioned=False),) if self.rewritten and self.conditioned else ()


AS_IS = Start()


@dataclass(frozen=True, slots=True)
class Step:
    """One conversion.

    Attributes:
        label: Name of the artifact folder, e.g. "tflite-int8".
        exporter: Who makes it.
        precision: What it makes.
        io: Input and output types of an int8 file.
        source: Label of the step before, or of its start.
        start: What its chain begins with.
        chain: All steps from the source on, this one included.
        wanted: False for a step that is there only because another starts from it.
    """

    label: str
    exporter: Exporter
    precision: str
    io: str
    source: str
    start: Start
    chain: tuple[str, ...]
    wanted: bool = True

    @property
    def needs_tensorflow(self) -> bool:
        return self.chain[0] == KERAS and self.source == self.start.label

    @property
    def needs_calibration(self) -> bool:
        return self.precision in CALIBRATED

    @property
    def conditioned(self) -> bool:
        """Whether it starts from the conditioned model, directly or not."""
        return self.start.conditioned


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order in which each source comes before what starts from it."""

    steps: tuple[Step, ...]

    @property
    def wanted(self) -> tuple[Step, ...]:
        """The steps whose results become artifacts."""
        return tuple(step for step in self.steps if step.wanted)

    @property
    def starts(self) -> tuple[Start, ...]:
        """What chains begin with, the source apart; what another is made from comes first."""
        found = [start for step in self.steps for start in (*step.start.before, step.start)]
        return tuple(dict.fromkeys(start for start in found if start != AS_IS))

    def only(self, labels: set[str]) -> Plan:
        """The plan for some of the wanted artifacts: the others are there already."""
        needed = {link for step in self.steps if step.label in labels for link in step.chain}
        kept = (step for step in self.steps if step.label in needed)
        return Plan(tuple(replace(s, wanted=s.wanted and s.label in labels) for s in kept))

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {
                "step": step.label,
                "chain": list(step.chain),
                "tensorflow": step.needs_tensorflow,
                "calibration": step.needs_calibration,
                "artifact": step.wanted,
            }
            for step in self.steps
        ]


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """Everything an export needs to know, decided.

    Attributes:
        source: The model.
        plan: What to make.
        keys: Artifact label → content key.
        out: Folder that will hold the artifact folders.
        weights: Checkpoint, if the model needs one.
        dataset: For calibration and evaluation; None for float parity only.
        classes: Names of the outputs; empty where there are none.
        calibration_samples: How many.
        evaluation_samples: How many.
        metric: Name of the metric.
        activation: What an app applies to the output.
        gate: Limits.
        input_shape: Override of open axes.
        input_range: Range of values a float image input expects.
        ranges: How ranges of int8 files are chosen, one of `edgekit.ranges.limits.ASKABLE`.
        budget_s: After how many seconds no layers are searched any more that keep an int8 file
            within its gate (`edgekit.mixing`); None for no search.
        allow_drop: Keep an artifact that loses too much of the metric, and say so in its manifest.
        metadata: Whether files say what they are (docs/metadata.md).
    """

    source: ModelSource
    plan: Plan
    keys: Mapping[str, str]
    out: Path
    weights: Path | None
    dataset: Dataset | None
    classes: tuple[str, ...]
    calibration_samples: int
    evaluation_samples: int
    metric: str
    activation: str
    gate: Gate
    input_shape: tuple[int, ...] | None = None
    input_range: tuple[float, float] | None = None
    ranges: str = AUTO
    budget_s: float | None = None
    allow_drop: bool = False
    metadata: bool = True


def exporters_named(names: Sequence[str]) -> dict[str, Exporter]:
    """Exporters by target; all of them without names.

    Raises:
        UsageError: Unknown target, with what was probably meant.
    """
    known = registry.parts(registry.EXPORTERS)
    chosen = [registry.resolve(name, known, what="target") for name in names] or _BUILT_IN
    return {name: registry.load(registry.EXPORTERS, name)() for name in dict.fromkeys(chosen)}


_BUILT_IN = ["tflite", "onnx", "openvino"]  # a plug-in's target is asked for by name


def make_plan(
    exporters: Mapping[str, Exporter],
    precisions: Sequence[str],
    io: str,
    *,
    condition: bool = False,
    fix: bool = False,
) -> Plan:
    """Every target in every precision it has, and the steps they start from.

    Args:
        exporters: Target → exporter.
        precisions: What to make.
        io: Input and output types of int8 files.
        condition: Let what is calibrated start from the conditioned model.
        fix: Let it start from the rewritten model, where that pays for the target.

    Raises:
        UsageError: Unknown precision, or one that no chosen target has.
    """
    wanted = [registry.resolve(name, PRECISIONS, what="precision") for name in precisions]
    steps: dict[str, Step] = {}
    for precision in sorted(dict.fromkeys(wanted), key=PRECISIONS.index):
        having = [e for e in exporters.values() if precision in e.precisions]
        if not having:
            raise UsageError(
                f"none of {', '.join(exporters)} has the precision {precision!r}",
                hint="besides fp32, " + "; ".join(map(_precisions, exporters.values())),
            )
        for exporter in having:
            kind = io if precision == "int8" else "native"
            start = AS_IS
            if precision in CALIBRATED:
                start = Start(fix and precision in exporter.rewritten, condition)
            _add(steps, exporter, precision, kind, wanted=True, start=start)
    return Plan(tuple(steps.values()))


def plan_for_file(
    exporters: Mapping[str, Exporter], precisions: Sequence[str], io: str, *, condition: bool
) -> Plan:
    """Every target in every precision it has, each made from one float file; as `make_plan`."""
    plan = make_plan(exporters, precisions, io)
    steps = []
    for step in plan.wanted:
        between = (CONDITIONED,) if condition and step.precision in CALIBRATED else ()
        chain = (FILE, *between, step.label)
        steps.append(replace(step, source=chain[-2], chain=chain))
    return Plan(tuple(steps))


def _add(
    steps: dict[str, Step],
    exporter: Exporter,
    precision: str,
    io: str,
    *,
    wanted: bool,
    start: Start,
    after: tuple[str, ...] = (),
) -> Step:
    label = artifact_label(exporter.target, precision, io)
    if not wanted and start != AS_IS:
        label = f"{label}-{start.label}"  # beside the step of that name that starts from the source
    if label in after:
        raise UsageError(f"the sources of {label} go in a circle: {' ← '.join((*after, label))}")
    source = exporter.source(precision)
    chain = start.links
    if source == KERAS:
        source = start.label
    else:
        target, _, before = source.rpartition("-")
        owner = registry.load(registry.EXPORTERS, target)()
        step = _add(
            steps, owner, before, "native", wanted=False, start=start, after=(*after, label)
        )
        source, chain = step.label, step.chain
    known = steps.get(label)
    step = Step(
        label=label,
        exporter=exporter,
        precision=precision,
        io=io,
        source=source,
        start=start,
        chain=(*chain, label),
        wanted=wanted or (known is not None and known.wanted),
    )
    steps[label] = step
    return step


def _precisions(exporter: Exporter) -> str:
    known = [name for name in PRECISIONS if name in exporter.precisions and name != "fp32"]
    return f"{exporter.target} has {', '.join(known)}"


def artifact_key(step: Step, ingredients: Mapping[str, Any]) -> str:
    """Digest of everything that decides an artifact's bytes and figures.

    Args:
        step: The conversion.
        ingredients: Model, weights, data and options, common to all steps of an export.
    """
    return digest_json(
        {
            **ingredients,
            "format": FORMAT,
            "chain": list(step.chain),
            "io": step.io,
            "tools": tool_versions(step.exporter.packages),
            # Only int8 depends on what it was calibrated with.
            "calibration": ingredients.get("calibration") if step.needs_calibration else None,
            "ranges": ingredients.get("ranges") if step.needs_calibration else None,
            "mixing": ingredients.get("mixing") if step.needs_calibration else None,
            "conditioning": ingredients.get("conditioning") if step.conditioned else None,
            "rewriting": ingredients.get("rewriting") if step.start.rewritten else None,
        }
    )


def tool_versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed version of each distribution; "absent" where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
