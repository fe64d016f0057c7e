"""Write what is known of artifacts and runs as one page.

Finds them, has the page made, writes the file. Measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.errors import UsageError
from edgekit.files import canonical_json, write_atomic
from edgekit.progress import Progress, Report, silent
from edgekit.reporting.building import facts_of
from edgekit.reporting.document import to_document
from edgekit.reporting.gathering import gather

# Format → the suffixes that choose it.
FORMATS = {"html": (".html", ".htm"), "md": (".md", ".markdown"), "json": (".json",)}


@dataclass(frozen=True, slots=True)
class Written:
    """A report on disk.

    Attributes:
        file: Where.
        format: One of `FORMATS`.
        bytes: Its size.
        artifacts: How many it is of.
        runs: Runs of the store or from files.
        contenders: Rows with a latency, over all runs.
        warnings: Runs that are damaged and left out, one line each.
    """

    file: Path
    format: str
    bytes: int
    artifacts: int
    runs: int
    contenders: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "format": self.format,
            "bytes": self.bytes,
            "artifacts": self.artifacts,
            "runs": self.runs,
            "contenders": self.contenders,
            "warnings": list(self.warnings),
        }


def write_report(
    sources: Sequence[str],
    *,
    out: Path | None = None,
    form: str | None = None,
    report: Report = silent,
) -> Written:
    """Write a report.

    Args:
        sources: Folders, files and queries; see `edgekit.reporting.gathering`.
        out: File to write; by default `report.html`, or with the suffix of `form`.
        form: One of `FORMATS`; by default the one that the suffix of `out` says.
        report: Told about progress.

    Raises:
        UsageError: No source, one of no kind, or a suffix that says no format.
        ArtifactError: A folder without artifacts, or with a damaged one.
        DeviceError: A file that holds no run.
        StoreError: No such run, or a store that cannot be read.
        MissingExtraError: A package of the extra `report` is missing.
        OSError: The file cannot be written.
    """
    if not sources:
        raise UsageError("nothing to report on", hint="edgekit report build/MODEL -o report.html")
    form = form or _form_of(out)
    out = out or Path(f"report{FORMATS[form][0]}")
    task = f"writing {out}"
    artifacts, runs, warnings = gather(sources)
    report(Progress(task))
    facts = facts_of(artifacts, runs)
    if form == "json":
        text = canonical_json(to_document(facts, __version__))
    else:
        from edgekit.reporting.html import to_html
        from edgekit.reporting.markdown import to_markdown
        from edgekit.reporting.sections import page_of

        page = page_of(facts, __version__, charts=form == "html")
        text = to_html(page) if form == "html" else to_markdown(page)
    data = text.encode()
    write_atomic(out, data)
    report(Progress(task, 1, 1))
    return Written(
        file=out,
        format=form,
        bytes=len(data),
        artifacts=len(facts.artifacts),
        runs=len(facts.runs),
        contenders=sum(bool(row.turns) for one in facts.runs for row in one.rows),
        warnings=tuple(warnings),
    )


def _form_of(out: Path | None) -> str:
    if out is None:
        return "html"
    for form, suffixes in FORMATS.items():
        if out.suffix.lower() in suffixes:
            return form
    raise UsageError(f"{out}: its suffix says no format", hint=f"--format {'|'.join(FORMATS)}")
