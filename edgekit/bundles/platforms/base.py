"""What a platform of bundles offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from edgekit.bundles.contents import Contents


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
