"""Each step of a C++ bundle gives, to the bit, what Python's gives."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgekit import detection
from edgekit.tokenizing import encode_by
from tests.bundles.texts import sample_texts
from tests.bundles.wavs import LENGTH, RATE, by_python, damaged_wavs, extensible_wavs, whole_wavs

DETECTION = Path(__file__).parents[1] / "golden" / "detection.json"

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("g++")),
    reason="no cmake or g++ here; apt-get install cmake g++ make",
)


def steps(cpp_built, folder, contract, kind, items, *more):
    """What the C++ makes of each item, as bytes; the contract is that of one artifact, "a"."""
    told = {"version": 1, "answer": {"kind": "tensors"}, **contract}
    told["inputs"] = contract.get("inputs", [{"name": "x", "kind": "tensor", "shape": [1]}])
    told["inputs"][0].setdefault("dtype", "float32")
    port = {"name": "x", "dtype": "float32", "shape": [1, 1], "scale": None, "zero_point": None}
    given = [{**port, **one} for one in contract.get("outputs", [{}])]
    told["artifacts"] = {"a": {"inputs": [port], "outputs": given}}
    (folder / "contract.json").write_text(json.dumps(told))
    done = subprocess.run(
        [cpp_built / "steps", folder / "contract.json", "a", kind, *more],
        input=b"".join(struct.pack("<I", len(item)) + item for item in items),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found, rest = [], done.stdout
    while rest:
        (size,) = struct.unpack("<I", rest[:4])
        found.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    assert len(found) == len(items)
    return found


def ppm(pixels):
    return b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "float32"])
@pytest.mark.parametrize(
    "form",
    [
        ("HWC", [[0.0, 255.0]] * 3),
        ("CHW", [[-2.1, 2.2], [-2.0, 2.4], [-1.8, 2.6]]),
        ("HWC", [[-1.0, 1.0]]),
    ],
)
@pytest.mark.parametrize("resize", ["bilinear", "letterbox"])
def test_pictures_become_what_python_makes_of_them(cpp_built, tmp_path, dtype, form, resize):
    from edgekit.bundles.packaged.pictures import prepare

    layout, ranges = form
    draw = np.random.default_rng([len(ranges), len(dtype)])
    high, wide = (int(size) for size in draw.integers(5, 70, 2))
    shape = [len(ranges), high, wide] if layout == "CHW" else [high, wide, len(ranges)]
    scaled = ranges if dtype == "float32" else [[0.0, 127.0]] * len(ranges)
    spec = {
        "name": "x", "kind": "picture", "shape": shape, "dtype": dtype, "layout": layout,
        "height": high, "width": wide, "channels": len(ranges), "resize": resize, "grey": 114,
        "ranges": scaled,
    }  # fmt: skip
    sizes = [(1, 1), (high, wide), (3, 200), (200, 3), *draw.integers(1, 150, (10, 2)).tolist()]
    frames = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    made = steps(cpp_built, tmp_path, {"inputs": [spec]}, "picture", [ppm(one) for one in frames])
    for frame, found in zip(frames, made, strict=True):
        assert found == prepare(frame, spec)[0].tobytes(), frame.shape


@pytest.mark.parametrize("kind", ["bytes", "wordpiece"])
def test_a_thousand_texts_become_the_tokens_of_python(cpp_built, pieces, tmp_path, kind):
    texts = sample_texts(1000, surrogates=True)
    reference, place, table = pieces if kind == "wordpiece" else ("bytes", None, None)
    for length in (32, 7):
        spec = {"name": "x", "kind": "text", "shape": [length], "dtype": "int32", "length": length}
        contract = {"inputs": [{**spec, "tokenizer": reference}]}
        # As UTF-8 has no halves of characters, they come as some write those of UTF-16.
        items = [text.encode("utf-8", "surrogatepass") for text in texts]
        made = steps(cpp_built, tmp_path, contract, "text", items, *filter(None, [table]))
        tokens = encode_by(reference, place, texts, length)
        assert [np.frombuffer(one, np.int32).tolist() for one in made] == tokens.tolist()


def test_bytes_that_are_no_utf8_become_replacement_characters(cpp_built, tmp_path):
    spec = {"name": "x", "kind": "text", "shape": [12], "dtype": "int32", "length": 12}
    contract = {"inputs": [{**spec, "tokenizer": "bytes"}]}
    items = [b"a\xffb", b"\xc0\x80", b"\xf8", b"\xe6\xbc", b"\xf4\x90\x80\x80"]
    made = steps(cpp_built, tmp_path, contract, "text", items)
    numbers = [np.frombuffer(one, np.int32) for one in made]
    told = [bytes((row[row > 0] - 1).tolist()).decode() for row in numbers]
    assert told == ["a\ufffdb", "\ufffd\ufffd", "\ufffd", "\ufffd", "\ufffd"]


@pytest.mark.parametrize("limits", [[-1.0, 1.0], [0.0, 255.0]])
def test_sound_becomes_what_python_makes_of_it(cpp_built, tmp_path, limits):
    from edgekit.bundles.packaged.model import _sound

    draw = np.random.default_rng(2)
    waves = [draw.uniform(-1, 1, size).astype(np.float32) for size in (0, 1, 99, 100, 101, 1000)]
    spec = {
        "name": "x", "kind": "sound", "shape": [100], "dtype": "float32", "length": 100,
        "rate_hz": 8000, "range": limits,
    }  # fmt: skip
    made = steps(
        cpp_built, tmp_path, {"inputs": [spec]}, "sound", [wave.tobytes() for wave in waves]
    )
    assert made == [_sound(wave, spec).tobytes() for wave in waves]


def test_wav_files_are_read_and_refused_as_python_does(cpp_built, tmp_path):
    spec = {
        "name": "x", "kind": "sound", "shape": [LENGTH], "dtype": "float32", "length": LENGTH,
        "rate_hz": RATE, "range": [-1.0, 1.0],
    }  # fmt: skip
    files = [*whole_wavs(600), *damaged_wavs(400)]
    made = steps(cpp_built, tmp_path, {"inputs": [spec]}, "wav", files)
    wanted = [by_python(file) or b"" for file in files]
    assert b"" not in wanted[:600]
    assert made == wanted


def test_an_extensible_header_of_pcm_is_read_as_a_plain_one(cpp_built, tmp_path):
    spec = {
        "name": "x", "kind": "sound", "shape": [9], "dtype": "float32", "length": 9,
        "rate_hz": RATE, "range": [-1.0, 1.0],
    }  # fmt: skip
    plain, extended = extensible_wavs()
    made = steps(cpp_built, tmp_path, {"inputs": [spec]}, "wav", [plain, extended])
    assert made[0] == made[1] != b""


def test_half_floats_are_those_of_numpy(cpp_built, tmp_path):
    draw = np.random.default_rng(8)
    edges = [0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519.9, 65520, 6.1e-5, 5.96e-8, 2.98e-8]
    parts = [draw.normal(0, size, 2000) for size in (1, 1e-6, 3e4)]
    values = np.concatenate([*parts, edges]).astype(np.float32)
    (made,) = steps(cpp_built, tmp_path, {}, "half", [values.tobytes()])
    with np.errstate(over="ignore"):
        assert made[: 2 * values.size] == values.astype(np.float16).tobytes()
        back = np.frombuffer(made[2 * values.size :], np.float64)
        assert np.array_equal(back, values.astype(np.float16).astype(np.float64), equal_nan=True)


def decoded(cpp_built, folder, boxes, scores, settings):
    """(class, score, box) of each object that the C++ finds."""
    contract = {
        "answer": {"kind": "objects", **settings},
        "outputs": [
            {"name": "boxes", "shape": [1, *boxes.shape]},
            {"name": "scores", "shape": [1, *scores.shape]},
        ],
    }
    item = boxes.astype(np.float32).tobytes() + scores.astype(np.float32).tobytes()
    (found,) = steps(cpp_built, folder, contract, "answer", [item])
    return np.frombuffer(found, np.float64).reshape(-1, 6)


def test_detections_are_python_s(cpp_built, tmp_path):
    draw = np.random.default_rng(4)
    cases = [
        (np.array(one["boxes"]), np.array(one["scores"]), one["settings"])
        for one in json.loads(DETECTION.read_text("utf-8"))["decode"]
    ]
    for number in range(20):
        # Sixteenths and halves: equal scores and overlaps of exactly the limit are common.
        boxes = np.sort(draw.integers(-4, 21, (40, 2, 2)) / 16, axis=1).reshape(40, 4)
        scores = np.round(draw.normal(0, 3, (40, 3)) * 2) / 2
        cases.append(
            (boxes, scores, {
                "threshold": 0.1 + 0.2 * (number % 4), "overlap": 0.25 * (number % 3),
                "most": 1 + number, "candidates": 10 * (1 + number % 9),
            })
        )  # fmt: skip
    for boxes, scores, settings in cases:
        single = boxes.astype(np.float32).reshape(-1, 4), scores.astype(np.float32)
        wanted = detection.decode(*single, **settings)
        found = decoded(cpp_built, tmp_path, *single, settings)
        assert found[:, 0].tolist() == wanted.classes.tolist()
        assert found[:, 1] == pytest.approx(wanted.scores, abs=1e-7)
        assert np.array_equal(found[:, 2:], wanted.boxes)
