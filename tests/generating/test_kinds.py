"""Which loop makes samples with a model, by what it takes and gives; and sheets of samples."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit.generating.kinds import Wishes, kind_of
from edgekit.generating.sheets import as_wav, drawn_sounds, picture_sheet
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo

PIXELS = [InputSpec("picture", "uint8", (4, 6, 1), range=(0, 3))]
NOISY = [InputSpec("noisy", "float32", (4, 4, 1)), InputSpec("time", "int32", (), range=(0, 63))]
SOUND = [InputSpec("sound", "int32", (32,), range=(0, 255), rate_hz=1000)]
POINT = [InputSpec("z", "float32", (8,), range=(-5, 5))]


def found(inputs, shape, **wishes):
    output = TensorInfo("out", "float32", (1, *shape))
    return kind_of(inputs, [output], Wishes(**wishes), owner="mine")


def random():
    return np.random.Generator(np.random.Philox(0))


@pytest.mark.parametrize(
    ("inputs", "shape", "name", "calls"),
    [
        (PIXELS, (4, 6, 4), "pixels", 24),
        (NOISY, (4, 4, 1), "diffusion", 8),
        (SOUND, (32, 256), "instants", 100),
        (POINT, (9, 9, 3), "points", 1),
    ],
)
def test_shapes_say_which_loop_it_is(inputs, shape, name, calls):
    kind = found(inputs, shape)
    assert (kind.name, kind.calls) == (name, calls)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (PIXELS, (36,)),  # a classifier
        (PIXELS, (4, 6, 8)),  # more levels than it takes
        (NOISY, (4, 4, 3)),
        (SOUND, (32, 10)),
        (POINT, (4,)),
        ([*POINT, *POINT], (9, 9, 3)),
    ],
)
def test_a_model_that_makes_no_samples_is_refused_with_what_it_takes_and_gives(inputs, shape):
    with pytest.raises(UsageError, match=f"{inputs[0].name} .* and gives out"):
        found(inputs, shape)


def test_wishes_say_how_many_calls_there_are():
    assert found(NOISY, (4, 4, 1), steps=64).calls == 64
    assert found(SOUND, (32, 256), seconds=0.02).calls == 20
    with pytest.raises(UsageError, match="knows 64 times"):
        found(NOISY, (4, 4, 1), steps=65)


@pytest.mark.parametrize(
    ("inputs", "shape", "wish"),
    [
        (PIXELS, (4, 6, 4), {"steps": 5}),
        (NOISY, (4, 4, 1), {"temperature": 0.5}),
        (SOUND, (32, 256), {"steps": 5}),
        (POINT, (9, 9, 3), {"seconds": 0.1}),
    ],
)
def test_a_wish_that_the_loop_has_no_use_for_is_refused(inputs, shape, wish):
    with pytest.raises(UsageError, match=f"--{next(iter(wish))} means nothing to mine, whose loop"):
        found(inputs, shape, **wish)


def test_each_kind_makes_what_its_model_is_sure_of():
    def white(arrays):
        return [60.0 * np.eye(4)[np.full(arrays[0].shape[:3], 3)]]

    made = found(PIXELS, (4, 6, 4)).make(white, 2, random())
    assert made.shape == (2, 4, 6, 1)
    assert (made == 255).all()

    def loud(arrays):
        return [60.0 * np.eye(256)[np.full(arrays[0].shape, 255)]]

    sounds = found(SOUND, (32, 256), seconds=0.05).make(loud, 3, random())
    assert np.allclose(sounds, np.ones((3, 50)))

    def told(arrays):
        return [np.full((len(arrays[0]), 9, 9, 3), 0.5)]

    made = found(POINT, (9, 9, 3)).make(told, 5, random())
    assert made.shape == (5, 9, 9, 3)
    assert (made == 128).all()


def test_a_sheet_holds_each_picture_enlarged_and_blocks_below_each_other():
    pictures = np.arange(18, dtype=np.uint8).reshape(18, 1, 1, 1).repeat(16, 1).repeat(16, 2)
    sheet = picture_sheet([pictures, 100 + pictures])
    assert sheet.shape == (2 * (2 * 52 + 4), 16 * 52 + 4, 1)
    assert (sheet[4:52, 56:104] == 1).all()
    assert (sheet[56:104, 4:52] == 16).all()  # the seventeenth begins a row
    assert (sheet[112:160, 4:52] == 100).all()
    assert (sheet[:4] == 255).all()


def test_a_drawn_sound_shows_silence_as_a_line_in_the_middle():
    sounds = np.zeros((2, 960))
    sounds[1, 480:] = 1
    silent, rising = drawn_sounds(sounds)
    assert (silent[:, :, 0] == 0).sum(axis=0).tolist() == [1] * 480
    assert (rising[0, 240:] == 0).all()
    assert (rising[:48, 240] == 0).all()  # the line does not break


def test_a_wav_holds_all_sounds_with_pauses():
    sounds = np.stack([np.full(1000, 0.5), np.full(1000, -2.0)])
    with wave.open(io.BytesIO(as_wav([sounds, sounds], 8000))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(heard) == 4 * (1000 + 800)
    assert (heard[:1000] == 16384).all()
    assert (heard[1000:1800] == 0).all()
    assert (heard[1800:2800] == -32767).all()
