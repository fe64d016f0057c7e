"""What the Swift of a bundle computes is what Python computes: pictures, texts, sound, answers."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import wave

import numpy as np
import pytest
from PIL import Image

from edgekit import detection
from edgekit.bundles.originals import TEXTS
from edgekit.bundles.packaged.pictures import prepare
from edgekit.bundles.wordpiece import wordpiece_of
from edgekit.datasets.wav import read_wav
from edgekit.errors import DataError
from edgekit.tensor import dequantize, quantize
from edgekit.tokenizing import encode_by, train_wordpiece

pytestmark = pytest.mark.swift


def contract_of(contract):
    """A contract of one artifact, "a", as the file's bytes."""
    told = {"version": 1, "answer": {"kind": "tensors"}, **contract}
    told["inputs"] = contract.get("inputs", [{"name": "x", "kind": "tensor", "shape": [1]}])
    told["inputs"][0].setdefault("dtype", "float32")
    port = {"name": "x", "dtype": "float32", "shape": [1, 1], "scale": None, "zero_point": None}
    outputs = [{**port, **one} for one in contract.get("outputs", [{}])]
    taken = [{**port, **contract.get("port", {})}]
    told["artifacts"] = {"a": {"inputs": taken, "outputs": outputs}}
    return {"contract.json": json.dumps(told).encode()}


def picture(pixels):
    return struct.pack("<II", pixels.shape[1], pixels.shape[0]) + pixels.tobytes()


def spec_of(dtype, form, resize, size):
    layout, ranges = form
    high, wide = size
    shape = [len(ranges), high, wide] if layout == "CHW" else [high, wide, len(ranges)]
    return {
        "name": "x", "kind": "picture", "shape": shape, "dtype": dtype, "layout": layout,
        "height": high, "width": wide, "channels": len(ranges), "resize": resize, "grey": 114,
        "ranges": ranges if dtype == "float32" else [[0.0, 127.0]] * len(ranges),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "form", "resize"),
    [
        ("uint8", ("HWC", [[0.0, 255.0]] * 3), "bilinear"),
        ("int8", ("CHW", [[-2.1, 2.2], [-2.0, 2.4], [-1.8, 2.6]]), "letterbox"),
        ("int32", ("HWC", [[-1.0, 1.0]]), "bilinear"),
        ("float32", ("CHW", [[-2.1, 2.2], [-2.0, 2.4], [-1.8, 2.6]]), "letterbox"),
        ("float32", ("HWC", [[-1.0, 1.0]]), "letterbox"),
    ],
)
def test_pictures_become_what_python_makes_of_them(steps, dtype, form, resize):
    draw = np.random.default_rng([len(dtype), len(form[1])])
    high, wide = (int(size) for size in draw.integers(5, 70, 2))
    spec = spec_of(dtype, form, resize, (high, wide))
    sizes = [(1, 1), (high, wide), (3, 200), (200, 3), *draw.integers(1, 150, (10, 2)).tolist()]
    frames = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    wanted = [prepare(frame, spec)[0].tobytes() for frame in frames]
    files = contract_of({"inputs": [spec]})
    assert steps("rgb", files, map(picture, frames)) == wanted
    assert steps("frame", files, map(picture, frames)) == wanted  # by way of a CVPixelBuffer


def test_transparent_pictures_lie_on_white_as_pillow_lays_them(steps):
    spec = spec_of("uint8", ("HWC", []), "bilinear", (16, 16))
    spec |= {"shape": [16, 16, 3], "channels": 3, "ranges": [[0.0, 255.0]] * 3}
    pixels = np.random.default_rng(3).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    white = Image.new("RGBA", (16, 16), (255, 255, 255, 255))
    white.alpha_composite(Image.fromarray(pixels))
    (found,) = steps("rgba", contract_of({"inputs": [spec]}), [picture(pixels)])
    assert found == np.asarray(white.convert("RGB")).tobytes()


def text_contract(tokenizer, length):
    spec = {"name": "x", "kind": "text", "shape": [length], "dtype": "int32", "length": length}
    return contract_of({"inputs": [{**spec, "tokenizer": tokenizer}]})


def test_a_thousand_texts_become_the_same_tokens_by_their_bytes(steps, texts):
    made = steps("text", text_contract("bytes", 48), [text.encode() for text in texts])
    tokens = encode_by("bytes", None, texts, 48)
    assert [np.frombuffer(one, np.int32).tolist() for one in made] == tokens.tolist()


@pytest.mark.parametrize("accents", [None, False])
def test_a_thousand_texts_become_the_same_tokens_by_pieces_of_words(
    steps, texts, tmp_path, accents
):
    document = json.loads(train_wordpiece([*TEXTS, *texts[::3], "é e\u0301 ñandú Ærø"], 900))
    document["normalizer"] |= {"strip_accents": accents, "lowercase": accents is None}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document))
    reference = f"wordpiece:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    files = text_contract(reference, 64)
    files["wordpiece.json"] = json.dumps(wordpiece_of(path)).encode()
    made = steps("text", files, [text.encode() for text in texts])
    tokens = encode_by(reference, path, texts, 64)
    assert [np.frombuffer(one, np.int32).tolist() for one in made] == tokens.tolist()


def sound_contract(length, limits, rate=8000):
    return contract_of({"inputs": [{
        "name": "x", "kind": "sound", "shape": [length], "length": length, "rate_hz": rate,
        "range": limits,
    }]})  # fmt: skip


@pytest.mark.parametrize("limits", [[-1.0, 1.0], [0.0, 255.0]])
def test_sound_becomes_what_python_makes_of_it(steps, limits):
    from edgekit.bundles.packaged.model import _sound

    draw = np.random.default_rng(2)
    waves = [draw.uniform(-1, 1, size).astype(np.float32) for size in (0, 1, 99, 100, 101, 1000)]
    spec = {"length": 100, "range": limits, "dtype": "float32"}
    made = steps("wave", sound_contract(100, limits), [one.tobytes() for one in waves])
    assert made == [_sound(one, spec).tobytes() for one in waves]


def wav(data, width, channels, rate=8000):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return stream.getvalue()


def wav_files():
    draw = random.Random(12)
    for width in (1, 2, 3, 4):
        for channels in (1, 2, 3, 9, 64):
            frames = draw.choice((0, 1, 99, 100, 101, 250))
            yield wav(draw.randbytes(frames * channels * width), width, channels)
    whole = wav(draw.randbytes(400), 2, 1)
    chunk = b"LIST" + struct.pack("<I", 5) + b"hello\x00"
    yield whole[:12] + chunk + whole[12:]  # a chunk of odd size before the format
    yield whole[:36] + chunk + whole[36:]
    yield wav(bytes(400), 2, 1, rate=16000)
    for _ in range(200):  # whatever a damaged header says
        damaged = bytearray(whole)
        damaged[draw.randrange(44)] = draw.randrange(256)
        yield bytes(damaged)
    yield from (whole[:size] for size in (0, 3, 12, 20, 36, 43, 44, 45, 200, 399))


def test_wav_files_become_what_python_reads_and_others_are_refused_alike(steps):
    files = list(wav_files())
    wanted = []
    for file in files:
        try:
            wanted.append(read_wav(file, 100, 8000).tobytes())
        except DataError:
            wanted.append(b"refused")
    assert 30 < wanted.count(b"refused") < len(files) - 30
    assert steps("wav", sound_contract(100, [-1.0, 1.0]), files) == wanted


@pytest.mark.parametrize(
    ("dtype", "scale", "zero"), [("int8", 0.0173, -5), ("uint8", 0.5, 128), ("int32", 3e-4, 0)]
)
def test_numbers_go_to_the_file_and_back_as_in_python(steps, dtype, scale, zero):
    draw = np.random.default_rng(9)
    values = np.concatenate([
        draw.normal(0, 100 * scale, 400), np.arange(-20, 20) * 0.5 * scale, [0, 1e9, -1e9],
    ]).astype(np.float32)  # fmt: skip
    port = {"dtype": dtype, "scale": scale, "zero_point": zero}
    files = contract_of({"port": port, "outputs": [port]})
    whole, back = steps("taken", files, [values.tobytes()])
    wanted = quantize(values, scale, zero, dtype)
    assert whole == wanted.tobytes()
    assert back == dequantize(wanted, scale, zero).tobytes()


def answered(steps, answer, *outputs):
    named = (
        zip(("boxes", "scores"), outputs, strict=True) if len(outputs) == 2 else [("x", *outputs)]
    )
    shapes = [{"name": name, "shape": [1, *array.shape]} for name, array in named]
    item = b"".join(array.astype(np.float32).tobytes() for array in outputs)
    (found,) = steps("answer", contract_of({"answer": answer, "outputs": shapes}), [item])
    return np.frombuffer(found, np.float64)


def test_detections_are_python_s(steps, tests_folder):
    draw = np.random.default_rng(4)
    golden = json.loads((tests_folder / "golden" / "detection.json").read_text("utf-8"))
    cases = [(np.array(one["boxes"]), np.array(one["scores"]), one["settings"])
             for one in golden["decode"]]  # fmt: skip
    for number in range(12):
        # Sixteenths and halves: equal scores and overlaps of exactly the limit are common.
        boxes = np.sort(draw.integers(-4, 21, (40, 2, 2)) / 16, axis=1).reshape(40, 4)
        boxes[number] = np.nan
        scores = np.round(draw.normal(0, 3, (40, 3)) * 2) / 2
        settings = {"threshold": 0.1 + 0.2 * (number % 4), "overlap": 0.25 * (number % 3)}
        limits = {"most": 1 + number, "candidates": 10 * (1 + number % 9)}
        cases.append((boxes, scores, settings | limits))
    for boxes, scores, settings in cases:
        single = boxes.astype(np.float32).reshape(-1, 4), scores.astype(np.float32)
        wanted = detection.decode(*single, **settings)
        found = answered(steps, {"kind": "objects", **settings}, *single).reshape(-1, 6)
        assert found[:, 0].tolist() == wanted.classes.tolist()
        assert found[:, 1] == pytest.approx(wanted.scores, abs=1e-7)
        assert np.array_equal(found[:, 2:], wanted.boxes)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", ""])
def test_classes_are_python_s_and_equal_scores_keep_their_order(steps, activation):
    from edgekit.bundles.answers import answer_of

    values = np.round(np.random.default_rng(6).normal(0, 4, 30)).astype(np.float32)
    answer = {"kind": "classes", "output": 0, "activation": activation, "top": 9}
    wanted = answer_of(answer, {"x": values})
    found = answered(steps, answer, values).reshape(-1, 2)
    assert found[:, 0].tolist() == wanted["classes"]
    assert found[:, 1] == pytest.approx(wanted["scores"], abs=1e-12)
