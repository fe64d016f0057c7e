"""What a delta is: a plain ZIP with `update.json`, which says how each new file comes to be.

    update.json        what it leads from and to, and every file of the new bundle
    whole/PATH         a file as it is
    steps/PATH         a file as steps from one of the old bundle (`steps`)

    {"format": 1, "name", "platform",
     "from": {"version", "sha256"}, "to": {"version", "sha256"},      sha256: of bundle.json
     "files": {PATH: {"sha256", "bytes", "how": "kept" | "whole" | "steps", "from": PATH}}}

"kept" and "steps" name a file of the old bundle; "whole" none. Holds no time and no path of a
machine. Reads and writes the words; opens no ZIP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.bundles.contents import (
    MOST_BYTES,
    MOST_FILES,
    PLATFORMS,
    bundle_name,
    bundle_version,
    digest_of,
    is_path,
)
from edgekit.errors import ArtifactError
from edgekit.fields import Fields
from edgekit.files import canonical_json

FORMAT = 1
INDEX = "update.json"
KEPT, WHOLE, STEPS = "kept", "whole", "steps"


@dataclass(frozen=True, slots=True)
class End:
    """The bundle that a delta leads from, or to.

    Attributes:
        version: Its own.
        sha256: Of its `bundle.json`, which names every other file by digest.
    """

    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """How a file of the new bundle comes to be.

    Attributes:
        sha256: Of the file.
        bytes: Its size.
        how: `KEPT`, `WHOLE` or `STEPS`.
        source: The file of the old bundle; "" where it comes whole.
    """

    sha256: str
    bytes: int
    how: str
    source: str = ""

    def entry(self, path: str) -> str | None:
        """Its name in the ZIP; None where nothing of it is there."""
        return None if self.how == KEPT else f"{self.how}/{path}"


@dataclass(frozen=True, slots=True)
class Index:
    """What `update.json` says.

    Attributes:
        name: Of the bundle.
        platform: Of the bundle.
        old: What the delta leads from.
        new: What it leads to.
        files: Path in the new bundle → how it comes; all of them, its list and signature included.
    """

    name: str
    platform: str
    old: End
    new: End
    files: Mapping[str, Part]

    def text(self) -> str:
        """`update.json` as it is written."""
        files = {
            path: {"sha256": part.sha256, "bytes": part.bytes, "how": part.how}
            | ({"from": part.source} if part.source else {})
            for path, part in self.files.items()
        }
        return canonical_json(
            {
                "format": FORMAT,
                "name": self.name,
                "platform": self.platform,
                "from": {"version": self.old.version, "sha256": self.old.sha256},
                "to": {"version": self.new.version, "sha256": self.new.sha256},
                "files": files,
            }
        )

    @staticmethod
    def from_json(data: Any) -> Index:
        """Check and rebuild.

        Raises:
            ArtifactError: Another format; a key that is missing, unknown, of the wrong type or out
                of bounds; or a path that leaves the bundle.
        """
        fields = Fields(data, INDEX, ArtifactError)
        found = fields.integer("format", high=10**6)
        if found != FORMAT:
            raise fields.fail("format", f"{found}; this edgekit reads {FORMAT}")
        index = Index(
            name=bundle_name(fields.text("name", longest=64)),
            platform=fields.text("platform", choices=PLATFORMS),
            old=_end(fields.table("from")),
            new=_end(fields.table("to")),
            files=_files(fields),
        )
        fields.done()
        return index


def is_newer(new: str, old: str) -> bool:
    """Whether one version comes after another."""
    ends = [tuple(int(number) for number in version.split(".")) for version in (new, old)]
    return ends[0] > ends[1]


def _end(fields: Fields) -> End:
    end = End(bundle_version(fields.text("version", longest=32)), digest_of(fields))
    fields.done()
    return end


def _files(fields: Fields) -> dict[str, Part]:
    table = fields.mapping("files")
    if len(table) > MOST_FILES + 2:
        raise fields.fail("files", f"{len(table):,} files; at most {MOST_FILES:,}")
    found: dict[str, Part] = {}
    for path, data in table.items():
        entry = Fields(data, f"{INDEX}: files: {path!r:.200}", ArtifactError)
        how = entry.text("how", choices=(KEPT, WHOLE, STEPS))
        source = "" if how == WHOLE else entry.text("from", longest=200)
        for one in (path, *([source] if how != WHOLE else ())):
            if not is_path(one):
                raise fields.fail("files", f"{one!r:.200} is no path of a bundle's file")
        size = entry.integer("bytes", high=MOST_BYTES)
        found[path] = Part(digest_of(entry), size, how, source)
        entry.done()
    if len({path.lower() for path in found}) < len(found):
        raise fields.fail("files", "two paths differ in the case of letters only")
    if (total := sum(part.bytes for part in found.values())) > MOST_BYTES:
        raise fields.fail("files", f"{total:,} bytes together; at most {MOST_BYTES:,}")
    return found
