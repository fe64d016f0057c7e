"""Each step of an Android bundle gives, to the bit, what Python's gives."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgekit import detection
from edgekit.bundles.answers import answer_of
from edgekit.bundles.originals import TEXTS, drawn
from edgekit.bundles.packaged.model import _sound
from edgekit.bundles.wordpiece import wordpiece_of
from edgekit.datasets import images
from edgekit.datasets.recipe import recipe_of
from edgekit.datasets.wav import read_wav
from edgekit.errors import DataError
from edgekit.files import canonical_json
from edgekit.spec import InputSpec
from edgekit.tensor import dequantize, quantize
from edgekit.tokenizing import encode_by, train_wordpiece
from tests.bundles.test_wordpiece import VARIANTS
from tests.bundles.texts import sample_texts

DETECTION = Path(__file__).parents[2] / "golden" / "detection.json"

# Two halves of a character that stand together are one in Kotlin, and two in Python.
PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")

pytestmark = pytest.mark.kotlin


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32"])
@pytest.mark.parametrize(
    ("layout", "ranges"),
    [
        ("HWC", ((0.0, 255.0),) * 3),
        ("CHW", ((-2.1, 2.2), (-2.0, 2.4), (-1.8, 2.6))),
        ("HWC", ((-1.0, 1.0),)),
    ],
)
@pytest.mark.parametrize("resize", ["bilinear", "letterbox"])
def test_pictures_become_what_python_makes_of_them(steps, dtype, layout, ranges, resize):
    draw = np.random.default_rng([len(ranges), len(dtype), len(resize)])
    high, wide = (int(size) for size in draw.integers(5, 70, 2))
    shape = (len(ranges), high, wide) if layout == "CHW" else (high, wide, len(ranges))
    if dtype != "float32":
        ranges = ((0.0, 127.0),) * len(ranges)
    spec = InputSpec(
        "x", dtype, shape, layout, resize=resize, range=ranges[0], channel_ranges=ranges
    )
    sizes = [(1, 1), (high, wide), (3, 200), (200, 3), (300, 1), (1, 300)]
    sizes += draw.integers(1, 150, (10, 2)).tolist()
    frames = [drawn(*size) for size in sizes]
    frames += [draw.integers(0, 256, (*size, 4), dtype=np.uint8) for size in sizes[-4:]]
    files = [png(pixels) for pixels in frames]
    made = steps("picture", json.dumps(recipe_of(spec)), *files)
    for file, found in zip(files, made, strict=True):
        pixels, _ = images.decode(file, *images.image_size(spec, owner="it"), resize=resize)
        assert found == images.fit_pixels(pixels, spec).tobytes()


def test_pictures_are_turned_upright_as_pillow_does_it(steps):
    frames, wanted = [], []
    for orientation in range(10):
        image = Image.fromarray(drawn(7, 4))
        image.getexif()[0x0112] = orientation
        frames += [str(orientation), png(drawn(7, 4))]
        upright = np.asarray(ImageOps.exif_transpose(image)).astype(np.uint32)
        colours = 0xFF << 24 | upright[..., 0] << 16 | upright[..., 1] << 8 | upright[..., 2]
        told = [upright.shape[1], upright.shape[0], *colours.astype(np.int32).reshape(-1).tolist()]
        wanted.append(" ".join(map(str, told)))
    assert [one.decode() for one in steps("upright", *frames)] == wanted


def tokens(steps, texts, tokenizer, length, *pieces):
    spec = {
        "name": "x", "kind": "text", "shape": [length], "dtype": "int32", "length": length,
        "tokenizer": tokenizer,
    }  # fmt: skip
    made = steps("text", json.dumps(spec), json.dumps(texts), *pieces)
    return [np.frombuffer(one, np.int32).tolist() for one in made]


def test_a_thousand_texts_become_the_bytes_of_python(steps):
    texts = [one for one in sample_texts(1100, surrogates=True) if not PAIR.search(one)][:990]
    texts += [
        "\ud800",
        "a\udfff",
        "\ud83d x",
        "🙂\ud83d",
        "👩‍👧" * 100,
        "语" * 5000,
        '"\\\x00',
        "ก็",
        "\x7f",
        "e",
    ]
    assert tokens(steps, texts, "bytes", 64) == encode_by("bytes", None, texts, 64).tolist()
    assert len(texts) == 1000


@pytest.mark.parametrize(
    ("variant", "length"), [*((name, 64) for name in VARIANTS), ("whole, framed", 3)]
)
def test_a_thousand_texts_become_the_pieces_of_the_library(steps, tmp_path, variant, length):
    document = json.loads(
        train_wordpiece([*TEXTS, "the quick brown fox", "ünïcödé ñandú Ærø"], 400)
    )
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(document | VARIANTS[variant]))
    reference = f"wordpiece:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    texts = sample_texts(1000, seed=length)
    wanted = encode_by(reference, file, texts, length).tolist()
    pieces = canonical_json(wordpiece_of(file))
    assert tokens(steps, texts, reference, length, pieces) == wanted


def test_every_character_becomes_the_pieces_of_the_library(steps, tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_bytes(train_wordpiece(TEXTS, 400))
    reference = f"wordpiece:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    texts = [
        "a".join(map(chr, range(first, first + 64)))
        for first in range(0, 0x110000, 64)
        if not 0xD800 <= first < 0xE000
    ]
    wanted = encode_by(reference, file, texts, 200).tolist()
    pieces = canonical_json(wordpiece_of(file))
    assert tokens(steps, texts, reference, 200, pieces) == wanted


def wav(bits, channels, frames, rate=8000, seed=0):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((channels, bits // 8, rate, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(seed).bytes(frames * channels * bits // 8))
    return stream.getvalue()


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks):
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def pcm(tag=1, channels=1, rate=8000, bits=16):
    return struct.pack("<HHIIHH", tag, channels, rate, rate * channels * bits // 8, bits // 8, bits)


def heard(steps, files, length=100, limits=(-1.0, 1.0)):
    """For each file (Kotlin's, Python's) bytes; None of one that was refused."""
    spec = {
        "name": "x", "kind": "sound", "shape": [length], "dtype": "float32", "length": length,
        "rate_hz": 8000, "range": list(limits),
    }  # fmt: skip
    pairs = []
    for file, found in zip(files, steps("wav", json.dumps(spec), *files), strict=True):
        try:
            wanted = _sound(read_wav(file, length, 8000, name="it"), spec).tobytes()
        except DataError:
            wanted = None
        pairs.append((None if found.startswith(b"!") else found[1:], wanted))
    return pairs


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 255.0), (-3.0, 0.1)])
def test_sounds_are_heard_as_python_hears_them(steps, limits):
    files = [
        wav(bits, channels, frames, seed=frames)
        for bits in (8, 16, 24, 32)
        for channels in (1, 2, 3, 64)
        for frames in (0, 1, 99, 100, 101, 500)  # filled up, and cut
    ]
    for found, wanted in heard(steps, files, limits=limits):
        assert found == wanted
        assert found is not None


def test_files_that_are_no_plain_sounds_are_refused_where_python_refuses_them(steps):
    body = bytes(range(200))
    files = {
        "of floats": riff(chunk(b"fmt ", pcm(tag=3, bits=32)), chunk(b"data", body)),
        "of another rate": wav(16, 1, 100, rate=16000),
        "cut short": wav(16, 2, 90)[:-3],
        "cut in its header": wav(16, 1, 90)[:30],
        "nothing": b"",
        "no chunk of sound": riff(chunk(b"fmt ", pcm())),
        "no format": riff(chunk(b"data", body)),
        "no channel": riff(chunk(b"fmt ", pcm(channels=0)), chunk(b"data", body)),
        "many channels": riff(chunk(b"fmt ", pcm(channels=65)), chunk(b"data", body)),
        "no rate": riff(chunk(b"fmt ", pcm(rate=0)), chunk(b"data", body)),
        "a short RIFF": b"RIFF" + struct.pack("<I", 60) + wav(16, 1, 90)[8:],
        "no RIFF": b"RIFX" + wav(16, 1, 90)[4:],
    }
    for name, pair in zip(files, heard(steps, list(files.values())), strict=True):
        assert pair == (None, None), name


def test_chunks_that_are_not_known_are_passed_over_as_in_python(steps):
    sound, plain = chunk(b"data", bytes(range(150))), chunk(b"fmt ", pcm())
    files = [
        riff(chunk(b"LIST", b"odd"), plain, chunk(b"fact", b"12345"), sound),
        riff(plain, sound, chunk(b"LIST", b"behind")),
        riff(chunk(b"fmt ", pcm() + b"\0\0"), sound),
        riff(plain, sound) + b"more behind the RIFF",
        riff(plain, chunk(b"data", b""), sound),
        riff(plain, chunk(b"data", bytes(range(151)))),  # half an instant at its end
    ]
    for found, wanted in heard(steps, files):
        assert found == wanted
        assert found is not None


def test_damaged_headers_are_taken_or_refused_as_python_does(steps):
    draw = random.Random(5)
    files = []
    for _ in range(600):
        file = bytearray(wav(draw.choice((8, 16, 24, 32)), draw.choice((1, 2)), 150))
        file[draw.randrange(44)] ^= 1 << draw.randrange(8)
        files.append(bytes(file))
    for file, (found, wanted) in zip(files, heard(steps, files), strict=True):
        assert found == wanted, file[:44]


@pytest.mark.parametrize("limits", [[-1.0, 1.0], [0.0, 255.0]])
def test_samples_of_sound_become_what_python_makes_of_them(steps, limits):
    draw = np.random.default_rng(2)
    waves = [draw.uniform(-1, 1, size).astype(np.float32) for size in (0, 1, 99, 100, 101, 1000)]
    spec = {
        "name": "x", "kind": "sound", "shape": [100], "dtype": "float32", "length": 100,
        "rate_hz": 8000, "range": limits,
    }  # fmt: skip
    made = steps("sound", json.dumps(spec), *(one.tobytes() for one in waves))
    assert made == [_sound(one, spec).tobytes() for one in waves]


@pytest.mark.parametrize(
    ("dtype", "scale", "zero"), [("int8", 0.0173, -5), ("uint8", 0.5, 128), ("int16", 3e-4, 0)]
)
def test_numbers_go_to_the_file_and_back_as_in_python(steps, dtype, scale, zero):
    random_values = np.random.default_rng(9).normal(0, 100 * scale, 400)
    # Halves go to the even number; what is out of bounds is cut.
    values = np.concatenate([random_values, np.arange(-20, 20) * 0.5 * scale, [0, 1e9, -1e9]])
    values = values.astype(np.float32)
    port = {"name": "x", "dtype": dtype, "shape": [1], "scale": scale, "zero_point": zero}
    whole, back = steps("numbers", json.dumps(port), values.tobytes())
    wanted = quantize(values, scale, zero, dtype)
    assert whole == wanted.tobytes()
    assert back == dequantize(wanted, scale, zero).astype(np.float32).tobytes()


def decoded(steps, boxes, scores, settings):
    """[number, score, left, top, right, bottom] of each object that the Kotlin finds."""
    answer = json.dumps({"kind": "objects", **settings})
    (found,) = steps("objects", answer, boxes.tobytes(), scores.tobytes())
    return np.frombuffer(found, np.float64).reshape(-1, 6)


def test_detections_are_python_s(steps):
    draw = np.random.default_rng(4)
    cases = [
        (np.array(one["boxes"]), np.array(one["scores"]), one["settings"])
        for one in json.loads(DETECTION.read_text("utf-8"))["decode"]
    ]
    for number in range(20):
        # Sixteenths and halves: equal scores and overlaps of exactly the limit are common.
        boxes = np.sort(draw.integers(-4, 21, (40, 2, 2)) / 16, axis=1).reshape(40, 4)
        scores = np.round(draw.normal(0, 3, (40, 3)) * 2) / 2
        settings = {
            "threshold": 0.1 + 0.2 * (number % 4), "overlap": 0.25 * (number % 3),
            "most": 1 + number, "candidates": 10 * (1 + number % 9),
        }  # fmt: skip
        cases.append((boxes, scores, settings))
    for boxes, scores, settings in cases:
        single = boxes.astype(np.float32).reshape(-1, 4), scores.astype(np.float32)
        wanted = detection.decode(*single, **settings)
        found = decoded(steps, *single, settings)
        assert found[:, 0].tolist() == wanted.classes.tolist()
        assert found[:, 1] == pytest.approx(wanted.scores, abs=1e-7)
        assert np.array_equal(found[:, 2:], wanted.boxes)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", ""])
def test_classes_are_python_s(steps, activation):
    draw = np.random.default_rng(6)
    answer = {"kind": "classes", "output": 0, "activation": activation, "top": 5}
    for size in (5, 6, 36, 1000):
        # Halves, for equal scores; and both zeros, which are equal.
        scores = (np.round(draw.normal(0, 2, size) * 2) / 2).astype(np.float32)
        scores[:2] = [0.0, -0.0]
        (told,) = steps("classes", json.dumps(answer), scores.tobytes())
        found = np.frombuffer(told, np.float64).reshape(-1, 2)
        wanted = answer_of(answer, {"x": scores})
        assert found[:, 0].tolist() == wanted["classes"]
        assert found[:, 1] == pytest.approx(wanted["scores"], rel=1e-12)


def test_boxes_go_back_to_the_picture_as_the_golden_vectors_say(steps):
    for case in json.loads(DETECTION.read_text("utf-8"))["letterbox"]:
        (wide, high), (width, height) = case["input"], case["picture"]
        spec = InputSpec(
            "x", "uint8", (high, wide, 3), "HWC", resize="letterbox", range=(0.0, 255.0)
        )
        given = {"input": recipe_of(spec), "width": width, "height": height, "boxes": case["boxes"]}
        (told,) = steps("to-picture", json.dumps(given))
        fit, _, boxes = told.decode().partition("] ")
        assert json.loads(fit + "]") == case["fit"]
        wanted = np.clip(case["boxes_in_picture"], 0, 1)
        np.testing.assert_allclose(json.loads(boxes), wanted, atol=1e-9)


TAKEN = [
    "{}", "[]", ' {"a": [1, -2.5e-3, true, false, null, "\\u00e4\\n\\"\\/"]} ', "0", '"\\ud800"',
    "[[[[]]]]", "1e400", "123456789012345678901234567890",
]  # fmt: skip
REFUSED = [
    "", "{", "[1,]", "{,}", '{"a" 1}', '{"a": 1, "a": 2}', "01", "+1", "1.", ".5", "tru", "nul",
    "NaN", "'a'", '"\t"', '"\\x"', '"\\u12g4"', '"\\u12', "1 2", "[1", "[" * 100_000, "-",
    "\ufeff{}",
]  # fmt: skip


def test_json_is_read_strictly(steps):
    found = [one.decode() for one in steps("json", *TAKEN, *REFUSED, b'"\xff"')]
    assert found[: len(TAKEN)] == ["taken"] * len(TAKEN)
    assert all(one.startswith("!it: not ") for one in found[len(TAKEN) :]), found
