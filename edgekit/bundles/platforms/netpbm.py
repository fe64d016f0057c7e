"""Golden pictures in the simplest format there is: what reads them needs no decoder."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundles.contents import GOLDEN


def write_ppm(folder: Path) -> None:
    """Put each of a bundle's golden pictures beside its PNG as binary PPM."""
    from PIL import Image

    for picture in sorted((folder / GOLDEN / "pictures").glob("*.png")):
        with Image.open(picture) as image:
            image.convert("RGB").save(picture.with_suffix(".ppm"), format="PPM")
