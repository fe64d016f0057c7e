from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from edgekit.errors import UsageError
from edgekit.picture import check_picture
from edgekit.quantization.explain.comparing import Compared
from edgekit.quantization.explain.layers import Layer
from edgekit.quantization.explain.picture import draw_layers
from edgekit.quantization.explain.signal import Figures


def compared(place, db):
    figures = Figures(db, 0.01 * place, 0.1, 0, 0.02, 8, 1)
    layer = Layer(f"net/layer_{place}/Relu:0", "Conv", (), (1, 4, 4, 8), "uint8")
    return Compared(place, layer, f"net/layer_{place}/Relu", "name", 0.99, figures, figures)


LAYERS = [compared(place, 10.0 + place) for place in range(9)]


def test_an_svg_names_the_worst_layers_and_is_the_same_each_time(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_layers("net tflite-int8", LAYERS, tmp_path / name)
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    text = content.decode()
    assert ET.fromstring(text).tag.endswith("svg")
    # matplotlib draws text as paths and keeps it in comments.
    assert "1. Conv layer_0/Relu" in text
    assert "6. Conv layer_5/Relu" in text
    assert "layer_6" not in text
    assert "net tflite-int8" in text


def test_a_png_is_one(tmp_path):
    draw_layers("net", LAYERS[:1], tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["layers.gif", "layers", "layers.png.txt"])
def test_other_formats_are_refused_before_anything_is_computed(tmp_path, name):
    with pytest.raises(UsageError, match="is no format for it"):
        check_picture(tmp_path / name, "layers")
