from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgekit.datasets.images import (
    LETTERBOX_GREY,
    PictureMemo,
    decode,
    fit_pixels,
    letterbox_geometry,
    picture_size,
)
from edgekit.spec import InputSpec

LEVELS = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)  # [256, 1, 3]


@given(low=st.floats(-1000, 999), width=st.floats(0.01, 2000))
def test_black_and_white_become_the_ends_of_the_range_and_order_is_kept(low, width):
    spec = InputSpec("x", "float32", (256, 1, 3), "HWC", (low, low + width))
    values = fit_pixels(LEVELS, spec)
    assert values.dtype == np.float32
    assert values[0, 0, 0] == np.float32(low)
    assert np.isclose(values[-1, 0, 0], low + width, rtol=1e-6)
    assert (np.diff(values[:, 0, 0]) >= 0).all()


def test_channels_come_first_where_the_input_has_them_first():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    last = fit_pixels(pixels, InputSpec("x", "float32", (4, 5, 3), "HWC", (0.0, 1.0)))
    first = fit_pixels(pixels, InputSpec("x", "float32", (3, 4, 5), "CHW", (0.0, 1.0)))
    assert np.array_equal(first, last.transpose(0, 3, 1, 2))


def test_one_channel_that_comes_first_is_luma():
    grey = np.full((4, 5, 3), 51, np.uint8)
    found = fit_pixels(grey, InputSpec("x", "float32", (1, 4, 5), "CHW", (0.0, 1.0)))
    assert found.shape == (1, 4, 5)
    assert np.allclose(found, 0.2)


def test_each_channel_has_its_own_range_where_they_differ():
    ranges = ((-1.0, 1.0), (0.0, 1.0), (-2.0, 3.0))
    spec = InputSpec("x", "float32", (256, 1, 3), "HWC", (-2.0, 3.0), channel_ranges=ranges)
    found = fit_pixels(LEVELS, spec)
    assert np.allclose(found[0, 0], [-1, 0, -2])
    assert np.allclose(found[-1, 0], [1, 1, 3])


def test_bytes_for_a_byte_input_are_untouched():
    spec = InputSpec("x", "uint8", (256, 1, 3), "HWC")
    assert fit_pixels(LEVELS, spec) is LEVELS


def test_int8_is_bytes_less_128():
    spec = InputSpec("x", "int8", (256, 1, 3), "HWC", (-128.0, 127.0))
    assert np.array_equal(fit_pixels(LEVELS, spec), LEVELS.astype(int) - 128)


@pytest.mark.parametrize(("rgb", "grey"), [((255, 0, 0), 76), ((0, 255, 0), 150), ((9, 9, 9), 9)])
def test_one_channel_is_luma(rgb, grey):
    spec = InputSpec("x", "uint8", (1, 1, 1), "HWC")
    assert fit_pixels(np.array([[rgb]], np.uint8), spec).tolist() == [[[grey]]]


SIDES = st.integers(1, 2000)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


@given(width=SIDES, height=SIDES, into=st.tuples(SIDES, SIDES))
def test_a_letterboxed_picture_is_inside_centred_and_touches_two_sides(width, height, into):
    fit = letterbox_geometry(width, height, into=into)
    right = fit.input_width - fit.left - fit.width
    below = fit.input_height - fit.top - fit.height
    assert min(fit.left, fit.top, right, below) >= 0
    assert right - fit.left in {0, 1}
    assert below - fit.top in {0, 1}
    assert fit.left + right == 0 or fit.top + below == 0
    scale = min(into[1] / width, into[0] / height)
    assert abs(fit.width - max(1, width * scale)) <= 0.5 + 1e-9
    assert abs(fit.height - max(1, height * scale)) <= 0.5 + 1e-9


@given(
    width=SIDES,
    height=SIDES,
    into=st.tuples(SIDES, SIDES),
    boxes=st.lists(st.lists(st.floats(-0.5, 1.5), min_size=4, max_size=4), max_size=5),
)
def test_boxes_go_into_a_letterbox_and_come_back(width, height, into, boxes):
    fit = letterbox_geometry(width, height, into=into)
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    assert np.allclose(fit.to_picture(fit.to_input(boxes)), boxes, atol=1e-9)
    whole = fit.to_input(np.array([0.0, 0.0, 1.0, 1.0]))
    size = [fit.input_width, fit.input_height] * 2
    assert np.allclose(
        whole * size, [fit.left, fit.top, fit.left + fit.width, fit.top + fit.height]
    )


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (123, 77), (64, 64)])
@pytest.mark.parametrize("into", [(64, 64), (48, 96)])
@pytest.mark.parametrize("resize", ["letterbox", "bilinear"])
def test_a_mapped_box_lies_around_the_same_pixels(size, into, resize):
    width, height = size
    left, top, right, bottom = (width // 4, height // 4, 3 * width // 4, height // 2)
    scene = np.zeros((height, width, 3), np.uint8)
    scene[top:bottom, left:right] = 255
    pixels, fit = decode(png(scene), *into, resize=resize)
    assert pixels.shape == (*into, 3)
    box = np.array([left / width, top / height, right / width, bottom / height])
    edges = fit.to_input(box) * np.array([into[1], into[0]] * 2)
    rows, columns = np.nonzero(pixels[..., 0] > 140)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(np.array(found) - edges).max() <= 1.0


def test_the_sides_of_a_letterbox_are_grey_and_the_picture_is_not_stretched():
    wide = np.full((20, 40, 3), 255, np.uint8)
    pixels, _ = decode(png(wide), 40, 40, resize="letterbox")
    assert (pixels[10:30] == 255).all()
    assert (pixels[:10] == LETTERBOX_GREY).all()
    assert (pixels[30:] == LETTERBOX_GREY).all()
    assert (decode(png(wide), 40, 40)[0] == 255).all()


@pytest.mark.parametrize("size", [(123, 251), (30, 900), (317, 190), (24, 24)])
def test_rows_are_resized_before_columns_in_every_version_of_pillow(size):
    scene = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    bilinear = Image.Resampling.BILINEAR
    rows = Image.fromarray(scene).resize((24, size[1]), bilinear)
    pixels, _ = decode(png(scene), 24, 24)
    assert np.array_equal(pixels, np.asarray(rows.resize((24, 24), bilinear)))


def test_luma_is_exact_with_halves_to_even():
    colours = np.random.default_rng(2).integers(0, 256, (500, 4, 3), np.uint8)
    colours[0, :2] = [[0, 100, 100], [0, 0, 250]]  # 70.1 and, a half, 28.5
    found = fit_pixels(colours, InputSpec("x", "uint8", (500, 4, 1), "HWC"))
    exact = [
        round(Fraction(299 * int(r) + 587 * int(g) + 114 * int(b), 1000))
        for r, g, b in colours.reshape(-1, 3)
    ]
    assert found.reshape(-1).tolist() == exact
    assert exact[:2] == [70, 28]


def test_a_large_jpeg_on_its_side_is_fitted_as_it_is_seen(tmp_path):
    image = Image.new("RGB", (1600, 800), "black")
    image.paste((255, 255, 255), (0, 0, 800, 800))  # the left half as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees: the left half becomes the upper one
    image.save(tmp_path / "x.jpg", exif=exif, quality=95)
    assert picture_size(tmp_path / "x.jpg") == (800, 1600)
    pixels, fit = decode(tmp_path / "x.jpg", 64, 64, resize="letterbox")
    assert (fit.left, fit.top, fit.width, fit.height) == (16, 0, 32, 64)
    assert pixels[:30, 16:48].min() > 240
    assert pixels[34:, 16:48].max() < 15


def test_pictures_are_kept_from_their_second_reading_on_as_far_as_the_budget_goes(tmp_path):
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    memo = PictureMemo(budget_bytes=2 * 8 * 8 * 3)
    first = [memo.decode(path, 8, 8)[0] for path in paths]
    second = [memo.decode(path, 8, 8)[0] for path in paths]
    third = [memo.decode(path, 8, 8)[0] for path in paths]
    assert [a is b for a, b in zip(first, second, strict=True)] == [False] * 3
    assert [a is b for a, b in zip(second, third, strict=True)] == [True, True, False]
    assert [int(picture[0, 0, 0]) for picture in third] == [0, 1, 2]
    assert memo.decode(paths[0], 4, 4)[0].shape == (4, 4, 3)  # another size is another picture
