"""From what a person names to contenders: artifacts in runtimes with settings, each with its job.

    build/mobilenet                            every artifact in it
    build/mobilenet/tflite-int8@threads=2      one, with settings of its own

Reads artifacts. Does not measure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.artifact import Artifact, is_artifact
from edgekit.device import DeviceProfile
from edgekit.errors import ArtifactError, UsageError
from edgekit.feeding import golden_sample
from edgekit.job import Job
from edgekit.run import MOST_CONTENDERS, Contender

_SETTINGS = ("threads", "runtime", "delegate")
_MOST_THREADS = 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person named.

    Attributes:
        path: An artifact's folder, or one that holds some.
        runtime: Runtime to use; None for the device's preference.
        threads: Threads it may use; None for the device's.
        delegate: Delegate to use; None for the device's.
    """

    path: Path
    runtime: str | None = None
    threads: int | None = None
    delegate: str | None = None


def parse(text: str) -> Asked:
    """Read `PATH` or `PATH@threads=2,runtime=onnxruntime,delegate=none`.

    Raises:
        UsageError: An unknown setting, or one without a value of its kind.
    """
    path, mark, settings = text.rpartition("@")
    if not mark or "=" not in settings or Path(text).exists():
        return Asked(Path(text))
    found: dict[str, str] = {}
    for part in settings.split(","):
        key, _, value = part.partition("=")
        if key in found:
            raise UsageError(f"{text}: {key} is set twice", hint="PATH@threads=1 PATH@threads=2")
        if key not in _SETTINGS or not value:
            raise UsageError(
                f"{text}: {part!r} is no setting", hint=f"PATH@{_SETTINGS[0]}=2,runtime=litert"
            )
        found[key] = value
    threads = found.get("threads")
    if threads is not None and not re.fullmatch(r"[1-9]\d{0,3}", threads):
        raise UsageError(f"{text}: threads={threads} is not a number in 1…{_MOST_THREADS}")
    return Asked(
        Path(path),
        runtime=found.get("runtime"),
        threads=int(threads) if threads else None,
        delegate=found.get("delegate"),
    )


def expand(paths: Sequence[Path]) -> list[Path]:
    """Artifact folders among `paths`, and those one or two levels below the other folders.

    Raises:
        UsageError: No paths.
        ArtifactError: A path neither is an artifact nor holds one.
    """
    if not paths:
        raise UsageError("no artifact was named", hint="edgekit profile build/MODEL")
    found: list[Path] = []
    for path in paths:
        if is_artifact(path):
            held = [path]
        else:
            manifests = (*path.glob("*/manifest.json"), *path.glob("*/*/manifest.json"))
            held = sorted(manifest.parent for manifest in manifests)
        if not held:
            what = "holds no artifact" if path.is_dir() else "no such artifact"
            raise ArtifactError(f"{path}: {what}", hint="edgekit export MODEL makes artifacts")
        found += [folder for folder in held if folder not in found]
    return found


def gather(
    asked: Sequence[Asked],
    profile: DeviceProfile,
    *,
    runtime: str | None = None,
    threads: Sequence[int] = (),
) -> list[tuple[Contender, Artifact]]:
    """The contenders that were named, each once, with their opened artifacts.

    Args:
        asked: In the order of the table.
        profile: Of the device: preferred runtimes, threads and delegate.
        runtime: For all that name none.
        threads: For all that name none; several for a sweep.

    Raises:
        UsageError: Nothing was named, or too much.
        ArtifactError: A path holds no artifact, or a damaged one.
        DeviceError: A runtime cannot run its artifact.
    """
    if not asked:
        expand([])
    for count in threads:
        if not 1 <= count <= _MOST_THREADS:
            raise UsageError(f"threads={count} is not a number in 1…{_MOST_THREADS}")
    found: list[tuple[Contender, Artifact]] = []
    for one in asked:
        for path in expand([one.path]):
            artifact = Artifact.open(path)
            counts = [one.threads] if one.threads else threads or [profile.threads]
            for count in counts:
                contender = _contender(artifact, one, profile, runtime, count)
                if contender not in [known for known, _ in found]:
                    found.append((contender, artifact))
    if len(found) > MOST_CONTENDERS:
        raise UsageError(
            f"{len(found)} artifacts and settings; at most {MOST_CONTENDERS} share a run"
        )
    named = distinct([contender for contender, _ in found])
    return [(name, artifact) for name, (_, artifact) in zip(named, found, strict=True)]


def distinct(contenders: Sequence[Contender]) -> list[Contender]:
    """The contenders with what tells them apart in their names, where anything has to."""
    names = [one.name for one in contenders]
    for key in (*_SETTINGS, "path"):
        twice = {name for name, count in Counter(names).items() if count > 1}
        names = [
            f"{name} {_setting(one, key)}"
            if name in twice and _differs(contenders, names, name, key)
            else name
            for name, one in zip(names, contenders, strict=True)
        ]
    seen: Counter[str] = Counter()
    final = []
    for name, one in zip(names, contenders, strict=True):
        seen[name] += 1
        numbered = name if seen[name] == 1 else f"{name} #{seen[name]}"
        final.append(replace(one, name=numbered))
    return final


def job_of(contender: Contender, artifact: Artifact, scratch: Path) -> Job:
    """The job that measures a contender, fed its artifact's last golden sample.

    Args:
        contender: What to measure.
        artifact: Its artifact.
        scratch: Folder for the sample; made here.
    """
    return Job(
        action="measure",
        runtime=contender.runtime,
        model=str(artifact.model_path.resolve()),
        threads=contender.threads,
        delegate=contender.delegate,
        options=contender.options,
        inputs=golden_sample(artifact, scratch),
    )


def _contender(
    artifact: Artifact, asked: Asked, profile: DeviceProfile, runtime: str | None, threads: int
) -> Contender:
    manifest = artifact.manifest
    return Contender(
        name=f"{manifest.model} {artifact.label}",
        model=manifest.model,
        target=manifest.target,
        precision=manifest.precision,
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        path=str(artifact.path),
        runtime=profile.runtime_for(artifact.target, asked.runtime or runtime),
        delegate=asked.delegate or profile.delegate,
        # They are the profile's delegate's; another one takes others.
        options=profile.delegate_options if asked.delegate in (None, profile.delegate) else {},
        threads=threads,
        metric=None if manifest.metric is None else dict(manifest.metric),
        parity=manifest.parity.to_json(),
        cost=dict(manifest.cost),
    )


def _setting(contender: Contender, key: str) -> str:
    if key == "threads":
        return f"{contender.threads} thread{'s' * (contender.threads > 1)}"
    if key == "delegate":
        return f"delegate {contender.delegate or 'as usual'}"
    return str(getattr(contender, key))


def _differs(contenders: Sequence[Contender], names: Sequence[str], name: str, key: str) -> bool:
    values = {getattr(one, key) for one, own in zip(contenders, names, strict=True) if own == name}
    return len(values) > 1
