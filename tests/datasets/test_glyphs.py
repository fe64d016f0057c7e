from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.datasets.glyph_fonts import TEST_FACES, TRAINING_FACES, font_folder
from edgekit.datasets.glyph_textures import TEST_TEXTURES, TRAINING_TEXTURES
from edgekit.datasets.glyphs import CLASSES, Glyphs
from edgekit.errors import DataError, MissingExtraError
from edgekit.spec import InputSpec

RGB48 = InputSpec("image", "uint8", (48, 48, 3), "HWC", resize="bilinear")


@pytest.fixture(scope="module")
def glyphs():
    return Glyphs()


def test_a_sample_is_the_same_whenever_and_with_whatever_else_it_is_read(glyphs):
    together = glyphs.read("train", range(40), RGB48).inputs
    alone = Glyphs().read("train", [17], RGB48).inputs
    assert np.array_equal(together[17], alone[0])


def test_every_split_has_pixels_of_its_own(glyphs):
    first = [
        glyphs.read(split, range(8), RGB48).inputs for split in ("train", "validation", "test")
    ]
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])


def test_no_font_family_and_no_background_of_the_test_split_is_ever_trained_on():
    def family(face: str) -> str:
        families = ("DejaVuSansMono", "DejaVuSans", "DejaVuSerif", "STIXGeneral", "cmss")
        return next((f for f in families if face.startswith(f)), "cm")

    assert not {family(f) for f in TRAINING_FACES} & {family(f) for f in TEST_FACES}
    assert not set(TRAINING_TEXTURES) & set(TEST_TEXTURES)


def test_labels_are_balanced_over_any_multiple_of_the_classes(glyphs):
    chosen = glyphs.choose("test", 2016)
    labels = glyphs.read("test", chosen[:72], RGB48).labels
    assert np.bincount(labels).tolist() == [2] * len(CLASSES)
    assert np.array_equal(labels, glyphs.labels("test")[:72])


def test_the_scene_does_not_depend_on_the_resolution_it_is_drawn_at(glyphs):
    for index in range(12):
        small, large = (glyphs.scene("train", index, size, size) for size in (48, 96))
        box = np.array(small.box) * 2
        assert np.abs(box - np.array(large.box)).max() <= 4


def test_box_is_the_extent_of_the_mask_and_lies_in_the_picture(glyphs):
    for index in range(36):
        scene = glyphs.scene("test", index, 64, 80)
        left, top, right, bottom = scene.box
        rows, columns = np.nonzero(scene.mask)
        assert (left, right) == (columns.min(), columns.max() + 1)
        assert (top, bottom) == (rows.min(), rows.max() + 1)
        assert scene.image.shape == (64, 80, 3)


def test_a_glyph_stands_out_from_its_ground_by_lightness(glyphs):
    luma = np.array([0.299, 0.587, 0.114])
    apart = []
    for index in range(72):
        scene = glyphs.scene("test", index, 96, 96)
        grey = scene.image @ luma
        inside, outside = grey[scene.mask > 200], grey[scene.mask == 0]
        apart.append(abs(inside.mean() - outside.mean()))
    assert np.median(apart) > 50
    assert min(apart) > 15


def test_a_float_input_gets_the_range_it_asks_for(glyphs):
    spec = InputSpec("image", "float32", (48, 48, 3), "HWC", (-1.0, 1.0))
    values = glyphs.read("train", range(6), spec).inputs
    bytes_ = glyphs.read("train", range(6), RGB48).inputs
    assert values.dtype == np.float32
    assert np.allclose(values, bytes_ / 127.5 - 1, atol=1e-6)


def test_an_input_that_takes_no_pictures_is_refused(glyphs):
    with pytest.raises(DataError, match=r"takes \[40, 12\], not pictures"):
        glyphs.read("train", [0], InputSpec("series", "float32", (40, 12)))


def test_an_index_beyond_the_split_is_refused(glyphs):
    with pytest.raises(DataError, match="test has no sample 36000; it has 36,000"):
        glyphs.read("test", [36_000], RGB48)


@pytest.mark.parametrize("package", ["matplotlib", "PIL"])
def test_a_missing_package_names_the_extra_that_brings_it(package, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else real(name)
    )
    with pytest.raises(MissingExtraError) as caught:
        Glyphs()
    assert "[data]'" in caught.value.hint


def test_fonts_are_found_without_importing_matplotlib():
    import subprocess
    import sys

    code = (
        "import sys; from edgekit.datasets import open_dataset;"
        "open_dataset('glyphs').fingerprint(); assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (font_folder() / "cmr10.ttf").is_file()


def test_fingerprint_is_the_same_in_every_process_and_changes_with_the_version(monkeypatch):
    before = open_dataset("glyphs").fingerprint()
    assert before == Glyphs().fingerprint()
    monkeypatch.setattr("edgekit.datasets.glyphs.VERSION", 99)
    assert Glyphs().fingerprint() != before
