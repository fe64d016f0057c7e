from __future__ import annotations

import json
import re

import pytest

from edgekit.errors import ModelError, UsageError
from edgekit.modelfile import read_model_toml
from edgekit.spec import Gate, InputSpec, parse_settings

WHOLE = """
name = "tiny"
task = "image-classification"
datasets = ["glyphs"]
[parameters]
width = 0.5
size = 32
flip = false
[[inputs]]
name = "image"
dtype = "uint8"
shape = ["size", "size", 3]
layout = "HWC"
resize = "bilinear"
"""


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "tiny" / "model.toml"
    path.parent.mkdir()

    def write(text):
        path.write_text(text)
        return path

    return write


def test_a_short_model_toml_is_enough_and_the_rest_are_defaults(toml):
    spec = read_model_toml(toml(WHOLE))
    assert spec.name == "tiny"
    assert spec.inputs == (
        InputSpec("image", "uint8", (32, 32, 3), "HWC", (0.0, 255.0), "bilinear"),
    )
    assert (spec.metric, spec.outputs, spec.calibration_samples) == ("top1", ("output",), 128)
    assert (spec.gate.max_drop, spec.gate.max_abs) == (Gate().max_drop, Gate().max_abs)
    assert spec.gate.origin == "gate in tiny/model.toml"


def test_shapes_follow_the_parameters_and_their_overrides(toml):
    spec = read_model_toml(toml(WHOLE), {"size": 64, "width": 1})
    assert spec.inputs[0].shape == (64, 64, 3)
    assert spec.parameters == {"width": 1, "size": 64, "flip": False}


def test_an_input_survives_json():
    spec = InputSpec("a", "float32", (3, 4), range=(-1.0, 1.0))
    assert InputSpec.from_json(spec.to_json()) == spec


WHEN = WHOLE.replace(
    "[parameters]",
    '[when.flip]\noutputs = ["a", "b"]\nactivation = ""\nmetric = "rank1"\n[parameters]',
).replace("datasets =", 'activation = "softmax"\ndatasets =')


def test_outputs_may_depend_on_a_parameter_that_is_true_or_false(toml):
    path = toml(WHEN)
    usual, flipped = read_model_toml(path), read_model_toml(path, {"flip": True})
    assert (usual.outputs, usual.activation) == (("output",), "softmax")
    assert (flipped.outputs, flipped.activation) == (("a", "b"), "")
    assert (usual.metric, flipped.metric) == ("top1", "rank1")


BROKEN = {
    "when.size: expected a table named like": WHEN.replace("when.flip", "when.size"),
    "unknown key when.flip.task": WHEN.replace("[when.flip]\n", '[when.flip]\ntask = "x"\n'),
    "the key 'name' is missing": WHOLE.replace('name = "tiny"\n', ""),
    "the key 'task' is missing": WHOLE.replace('task = "image-classification"\n', ""),
    "the key 'inputs' is missing": WHOLE.partition("[[inputs]]")[0],
    "inputs: at least one is needed": "inputs = []\n" + WHOLE.partition("[[inputs]]")[0],
    "inputs: write [[inputs]] tables": "inputs = [1]\n" + WHOLE.partition("[[inputs]]")[0],
    "name: expected str, found 3": WHOLE.replace('name = "tiny"', "name = 3"),
    "task: 'magic' is not one of": WHOLE.replace("image-classification", "magic"),
    "unknown key colour": 'colour = "red"\n' + WHOLE,
    "unknown key inputs.colour": WHOLE + 'colour = "red"\n',
    "unknown key gate.maximum": WHOLE + "[gate]\nmaximum = 1\n",
    "max_drop: expected number, found True": WHOLE + "[gate]\nmax_drop = true\n",
    "samples: expected int, found 1.5": WHOLE + "[gate]\nsamples = 1.5\n",
    "datasets: expected names, found 1": WHOLE.replace('["glyphs"]', "[1]"),
    "inputs.name: '' is no name": WHOLE.replace('name = "image"', 'name = ""'),
    "inputs.name: 'a/b' is no name": WHOLE.replace('name = "image"', 'name = "a/b"'),
    "inputs.name: 'a:0' is no name": WHOLE.replace('name = "image"', 'name = "a:0"'),
    "inputs.dtype: 'float' is not one of": WHOLE.replace('"uint8"', '"float"'),
    "inputs.layout: 'CHW' is not one of": WHOLE.replace('"HWC"', '"CHW"'),
    "inputs.resize: 'nearest' is not one of": WHOLE.replace('"bilinear"', '"nearest"'),
    "inputs.shape: 'height' is neither": WHOLE.replace('"size", "size"', '"height", 1'),
    "inputs.shape: 'flip' is neither": WHOLE.replace('"size", "size"', '"flip", 1'),
    "inputs.shape: 0 is neither": WHOLE.replace('"size", "size"', "0, 1"),
    "inputs.shape: -1 is neither": WHOLE.replace('"size", "size"', "-1, 1"),
    "inputs.shape: True is neither": WHOLE.replace('"size", "size"', "true, 1"),
    "inputs.range: expected [lowest, highest], found [1]": WHOLE + "range = [1]\n",
    "inputs.range: expected [lowest, highest], found [2, 1]": WHOLE + "range = [2, 1]\n",
    "inputs.range: expected [lowest, highest], found ['a', 'b']": WHOLE + 'range = ["a", "b"]\n',
    "not valid TOML": "name = ",
}


@pytest.mark.parametrize("complaint", BROKEN)
def test_every_complaint_names_the_file_and_the_key(toml, complaint):
    path = toml(BROKEN[complaint])
    with pytest.raises(ModelError, match=re.escape(complaint)) as caught:
        read_model_toml(path)
    assert str(path) in caught.value.message


def test_a_file_that_is_not_text_is_a_model_error(toml):
    path = toml("")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="not valid TOML"):
        read_model_toml(path)


def test_an_absent_file_names_the_folder(tmp_path):
    with pytest.raises(ModelError, match=r"no model\.toml in this folder"):
        read_model_toml(tmp_path / "model.toml")


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ({"depth": 1}, "no parameter 'depth'"),
        ({"width": "wide"}, "parameter width: expected float, found 'wide'"),
        ({"size": 1.5}, "parameter size: expected int, found 1.5"),
        ({"size": True}, "parameter size: expected int, found True"),
        ({"flip": 1}, "parameter flip: expected bool, found 1"),
    ],
)
def test_an_override_must_be_a_parameter_of_the_same_kind(toml, override, complaint):
    with pytest.raises(ModelError, match=complaint):
        read_model_toml(toml(WHOLE), override)


def test_settings_on_the_command_line_are_read_as_toml_values_else_as_text():
    found = parse_settings(["width=0.5", "size=128", "flip=true", "kind=plain", 'name="a b"', "e="])
    assert found == {
        "width": 0.5, "size": 128, "flip": True, "kind": "plain", "name": "a b", "e": "",
    }  # fmt: skip


@pytest.mark.parametrize("setting", ["width", "=3", "  =3"])
def test_a_setting_without_a_key_or_a_value_is_refused(setting):
    with pytest.raises(UsageError, match="expected KEY=VALUE"):
        parse_settings([setting])


def test_a_picture_with_channels_first_and_apart_survives_json():
    ranges = ((-2.1, 2.2), (-2.0, 2.4), (-1.8, 2.6))
    spec = InputSpec("image", "float32", (3, 8, 8), "CHW", (-2.1, 2.6), channel_ranges=ranges)
    assert InputSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert spec.channels == 3


def test_an_input_without_ranges_of_channels_does_not_mention_them():
    spec = InputSpec("image", "uint8", (8, 8, 3), "HWC")
    assert "channel_ranges" not in spec.to_json()


@pytest.mark.parametrize("ranges", [[[0, 1]], [[0], [1], [2]], [[0, True]] * 3, [["a", "b"]] * 3])
def test_ranges_of_channels_that_are_none_are_refused(ranges):
    data = InputSpec("image", "float32", (8, 8, 3), "HWC").to_json()
    with pytest.raises(ModelError, match="channel_ranges"):
        InputSpec.from_json(data | {"channel_ranges": ranges})
