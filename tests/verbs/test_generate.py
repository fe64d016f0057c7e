"""Samples of artifacts, made by their files in their own runtime."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from edgekit.cli import main
from edgekit.errors import FileError, UsageError
from edgekit.generating.diffusion import denoise
from edgekit.generating.kinds import Wishes
from edgekit.measuring.contenders import parse
from edgekit.verbs.export import ExportRequest, export
from edgekit.verbs.generate import generate

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODEL_TOML = """
name = "teller"
task = "image-generation"
output = "noise"
metric = "psnr"

[[inputs]]
name = "noisy"
dtype = "float32"
shape = [8, 8, 1]
range = [-4, 4]

[[inputs]]
name = "time"
dtype = "int32"
shape = []
range = [0, 255]

[gate]
max_drop = 5
samples = 16
"""

# Calls all of it noise, at any time.
MODEL_PY = """
import keras
from keras import layers


def build():
    noisy = keras.Input((8, 8, 1), name="noisy")
    time = keras.Input((), dtype="int32", name="time")
    late = layers.Embedding(256, 1, embeddings_initializer="ones", name="late")(time)
    late = layers.Reshape((1, 1, 1))(late)
    return keras.Model([noisy, time], layers.Multiply(name="noise")([noisy, late]))
"""


@pytest.fixture(scope="module")
def teller(tmp_path_factory):
    """A model of diffusion that knows nothing: tflite, fp32 and int8."""
    folder = tmp_path_factory.mktemp("teller")
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML)
    space: dict[str, object] = {}
    exec(MODEL_PY, space)
    space["build"]().save_weights(folder / "glyph-diffusion.weights.h5")
    result = export(
        ExportRequest(
            str(folder),
            targets=("tflite",),
            precisions=("fp32", "int8"),
            dataset="glyph-diffusion",
            weights=folder / "glyph-diffusion.weights.h5",
            calibration_samples=16,
            out=folder / "build",
        )
    )
    assert not result.failures
    return {artifact.precision: artifact.path for artifact in result.artifacts}


def test_two_inputs_go_to_the_file_by_their_names_and_a_sheet_comes_back(teller, tmp_path):
    out, stands = tmp_path / "sheet.png", []
    made = generate(
        [parse(str(path)) for path in teller.values()],
        out=out,
        count=3,
        seed=5,
        wishes=Wishes(steps=4),
        report=stands.append,
    )
    assert (made.kind, made.calls, made.count) == ("diffusion", 4, 3)
    first, second = made.rows
    assert first.samples.shape == (3, 8, 8, 1)
    random = np.random.Generator(np.random.Philox(5))
    wanted = denoise(  # the same loop around what the model does
        lambda arrays: [arrays[0]], shape=(8, 8, 1), times=256, steps=4, count=3, random=random
    )
    assert np.abs(first.samples - (wanted + 1) * 127.5).max() < 1
    assert wanted.std() > 0.1
    assert first.differs is None
    assert second.differs is not None
    assert 0 < second.differs < 0.1
    assert {step.done for step in stands} == {1, 2, 3, 4}
    with Image.open(out) as sheet:
        assert sheet.size == (3 * 52 + 4, 2 * (52 + 4))


def test_the_command_prints_what_it_made_and_the_seed_decides_it(teller, tmp_path, capsys):
    path, sheets = str(teller["int8"]), []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / f"{number}.png"
        arguments = ["generate", path, "-o", str(out), "--seed", str(seed), "--count", "2"]
        assert main([*arguments, "--steps", "3", "--json", "--quiet"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["kind"], told["calls"], told["seed"]) == ("diffusion", 3, seed)
        assert told["rows"][0]["shape"] == [8, 8, 1]
        assert told["written"] == str(out)
        sheets.append(out.read_bytes())
    assert sheets[0] == sheets[1]
    assert sheets[0] != sheets[2]


def test_the_table_says_who_made_them_and_how_far_they_are_apart(teller, tmp_path, capsys):
    paths = [str(path) for path in teller.values()]
    out = str(tmp_path / "sheet.png")
    assert main(["generate", *paths, "-o", out, "--count", "1", "--steps", "2", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "1 samples of each, diffusion, on local-cpu" in printed
    assert "teller tflite-int8" in printed
    assert f"samples: {out}" in printed.replace("\n", "")


def test_pictures_go_into_no_wav_and_nothing_is_made_then(teller, tmp_path):
    out = tmp_path / "sheet.wav"
    with pytest.raises(UsageError, match=r"sheet\.wav: pictures go into \.png"):
        generate([parse(str(teller["fp32"]))], out=out)
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_told_before_anything_is_made(teller, tmp_path):
    (tmp_path / "file").write_text("")
    stands = []
    with pytest.raises(FileError):
        generate(
            [parse(str(teller["fp32"]))],
            out=tmp_path / "file" / "sheet.png",
            report=stands.append,
        )
    assert not stands
