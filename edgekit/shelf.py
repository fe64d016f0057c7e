"""Find model folders and device profiles by name, over every installed shelf.

A shelf is a folder with `models/` (folders that hold a `model.toml`, at most two levels deep:
`models/<name>` or `models/<task>/<name>`) and `devices/` (`<name>.toml`). Packages offer one
through the entry-point group `edgekit.shelves`: a function that returns the folder. The person's
own shelf comes last, and wins. Knows names and paths. Does not read what it finds.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgekit import registry
from edgekit.errors import EdgekitError
from edgekit.files import data_folder


def builtin() -> Path:
    """edgekit's own shelf: inside the wheel, or the top of a checkout."""
    package = Path(__file__).resolve().parent
    packed = package / "_shelf"
    return packed if packed.is_dir() else package.parent


def own() -> Path:
    """The person's shelf: `EDGEKIT_SHELF`, else the folder of edgekit's data; it may not exist."""
    if place := os.environ.get("EDGEKIT_SHELF"):
        return Path(place).expanduser()
    return data_folder()


def model_folders() -> dict[str, Path]:
    """Every model folder by name. A third party's model wins over a built-in one."""
    found: dict[str, Path] = {}
    for shelf in shelves()[0]:
        # Deepest first, so that of two equal names on one shelf the shallow one is kept.
        for pattern in ("*/*/model.toml", "*/model.toml"):
            for path in sorted((shelf / "models").glob(pattern)):
                found[path.parent.name] = path.parent
    return dict(sorted(found.items()))


def device_files() -> dict[str, Path]:
    """Every device profile by name. A third party's profile wins over a built-in one."""
    found: dict[str, Path] = {}
    for shelf in shelves()[0]:
        found.update({path.stem: path for path in sorted((shelf / "devices").glob("*.toml"))})
    return dict(sorted(found.items()))


def find_device(name: str) -> Path:
    """The TOML file of the device meant by `name`: exact, else a unique prefix.

    Raises:
        UsageError: Nothing fits, or several do; the message says what was probably meant.
    """
    known = device_files()
    return known[registry.resolve(name, known, what="device")]


def shelves() -> tuple[list[Path], list[EdgekitError]]:
    """All shelves, edgekit's first and the person's last, and what is wrong with unusable ones.

    A broken plug-in must not hide the models of the others: it is reported here, never raised.
    """
    folders: list[Path] = []
    broken: list[EdgekitError] = []
    points = registry.parts(registry.SHELVES)
    for name in sorted(points, key=lambda n: not points[n].value.startswith("edgekit.")):
        try:
            folder = Path(registry.load(registry.SHELVES, name)())
        except EdgekitError as error:
            broken.append(error)
        except Exception as error:
            broken.append(
                EdgekitError(
                    f"shelf {name}: {points[name].value} failed: {type(error).__name__}: {error}"
                )
            )
        else:
            if folder.is_dir():
                folders.append(folder)
            else:
                broken.append(EdgekitError(f"shelf {name}: {folder} is not a folder"))
    if any((own() / kind).is_dir() for kind in ("models", "devices")):
        folders.append(own())
    return folders, broken
