"""What a platform of bundles offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgekit.bundles.contents import Contents
from edgekit.errors import UsageError


class Platform(ABC):
    """A platform that apps are built for.

    Attributes:
        name: As `--platform` takes it.
        targets: Targets whose files run there.
        has_tokenizers: Whether the library `tokenizers` runs there. Others get `wordpiece.json`.
    """

    name: ClassVar[str]
    targets: ClassVar[tuple[str, ...]]
    has_tokenizers: ClassVar[bool] = False

    def check_name(self, name: str) -> None:  # noqa: B027  most platforms take every name
        """Raise where a bundle's name cannot be a package's on this platform.

        Raises:
            UsageError: It is taken, or a word of the language.
        """

    def pin(self, folder: Path, public: str) -> None:  # noqa: B027  most apps are given it elsewhere
        """Put the public key of who signs into the app's own code, before `write`.

        Args:
            folder: The bundle.
            public: PEM.
        """

    @abstractmethod
    def write(self, folder: Path, contents: Contents, contract: Mapping[str, Any]) -> None:
        """Add this platform's files to a bundle.

        Args:
            folder: The bundle: artifacts, golden cases, contract, labels and bill are there.
            contents: What it will say of itself; its `files` are not known yet.
            contract: Of the artifacts.
        """


def refuse_dtypes(contract: Mapping[str, Any], language: str, known: Sequence[str]) -> None:
    """Refuse what a platform's code does not read.

    Args:
        contract: Of the artifacts.
        language: As it stands in the complaint.
        known: dtypes that it reads.

    Raises:
        UsageError: Numbers of another kind go in or come out.
    """
    tensors = [
        tensor
        for one in contract["artifacts"].values()
        for tensor in (*one["inputs"], *one["outputs"])
    ]
    for tensor in (*contract["inputs"], *tensors):
        if tensor["dtype"] not in known:
            raise UsageError(
                f"{tensor['name']}: {language} reads {', '.join(known)}, not {tensor['dtype']}",
                hint="--platform python reads it",
            )
