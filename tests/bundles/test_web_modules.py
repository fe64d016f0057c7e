"""What the app for the web computes is what Python computes: pictures, texts, numbers, objects."""

from __future__ import annotations

import base64
import hashlib
import io
import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from edgekit import detection
from edgekit.bundles.originals import drawn
from edgekit.bundles.signing import sign
from edgekit.datasets import images
from edgekit.datasets.recipe import recipe_of
from edgekit.spec import InputSpec
from edgekit.tensor import dequantize, quantize
from edgekit.tokenizing import encode_by
from tests.bundles.conftest import write_keys
from tests.bundles.texts import sample_texts
from tests.bundles.wavs import LENGTH, RATE, by_python, damaged_wavs, extensible_wavs, whole_wavs

pytestmark = pytest.mark.browser


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


SPECS = [
    InputSpec("image", "uint8", (24, 31, 3), "HWC", range=(0.0, 255.0), resize="bilinear"),
    InputSpec("image", "float32", (3, 40, 24), "CHW", range=(0.0, 1.0), resize="letterbox",
              channel_ranges=((-2.1, 2.2), (-2.0, 2.4), (-1.8, 2.6))),
    InputSpec("image", "int8", (28, 28, 1), "HWC", range=(-128.0, 127.0), resize="bilinear"),
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS, ids=["plain", "letterbox", "grey"])
def test_pictures_of_any_size_become_what_python_makes_of_them(modules, spec):
    random = np.random.Generator(np.random.Philox(7))
    sizes = [(1, 1), (300, 1), (1, 300), (24, 31), (31, 24), (640, 480), (480, 640)]
    sizes += [tuple(int(n) for n in random.integers(1, 200, 2)) for _ in range(12)]
    opaque = [drawn(*size) for size in sizes]
    clear = [random.integers(0, 256, (high, wide, 4), np.uint8) for wide, high in sizes[-4:]]
    files = [png(pixels) for pixels in (*opaque, *clear)]
    wanted = []
    for file in files:
        pixels, _ = images.decode(file, *images.image_size(spec, owner="it"), resize=spec.resize)
        wanted.append(images.fit_pixels(pixels, spec).tobytes())
    body = """
    const { prepare } = await import("/app/pictures.js");
    const made = [];
    for (const file of given.files) {
      const bytes = Uint8Array.from(atob(file), (one) => one.charCodeAt(0));
      const { rgba, width, height } = await it.decode(new Blob([bytes]));
      const { sample } = prepare(rgba, width, height, given.spec);
      made.push(Array.from(new Uint8Array(sample.buffer)));
    }
    return made;
    """
    given = {"files": [base64.b64encode(file).decode() for file in files], "spec": recipe_of(spec)}
    found = [bytes(one) for one in modules("decoding", body, given)]
    assert found == wanted


def golden(tests_folder):
    return json.loads((tests_folder / "golden" / "detection.json").read_text(encoding="utf-8"))


def test_objects_are_those_of_the_golden_vectors_of_detection(modules, tests_folder):
    body = "return it.objects(given.boxes.flat(), given.scores.flat(), given.classes, given.rules);"
    for case in golden(tests_folder)["decode"]:
        classes = len(case["scores"][0]) if case["scores"] else 1
        boxes, scores = (np.array(case[key], np.float32).tolist() for key in ("boxes", "scores"))
        given = {"boxes": boxes, "scores": scores, "classes": classes, "rules": case["settings"]}
        found = modules("answer", body, given)
        objects = case["objects"]
        assert found["classes"] == [one["class"] for one in objects], case["name"]
        np.testing.assert_allclose(found["scores"], [one["score"] for one in objects], atol=1e-6)
        expected = np.array([one["box"] for one in objects]).reshape(-1, 4)
        np.testing.assert_allclose(np.reshape(found["boxes"], (-1, 4)), expected, atol=1e-6)


def test_objects_of_many_overlapping_boxes_are_those_of_python(modules):
    random = np.random.Generator(np.random.Philox(11))
    body = "return it.objects(given.boxes, given.scores, 3, given.rules);"
    rules = {"threshold": 0.3, "overlap": 0.4, "most": 30, "candidates": 200}
    for _ in range(5):
        corners = random.random((300, 2, 2)).astype(np.float32) * 1.4 - 0.2
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        # Halves: equal scores are common, as in an int8 file.
        scores = (np.round(random.normal(0, 2, (300, 3)) * 2) / 2).astype(np.float32)
        wanted = detection.decode(boxes, scores, **rules)
        given = {"boxes": boxes.reshape(-1).tolist(), "scores": scores.reshape(-1).tolist()}
        found = modules("answer", body, {**given, "rules": rules})
        assert found["classes"] == wanted.classes.tolist()
        np.testing.assert_array_equal(np.float32(found["boxes"]), wanted.boxes)


def test_boxes_go_back_to_the_picture_as_the_golden_vectors_say(modules, tests_folder):
    body = """
    const spec = { width: given.input[0], height: given.input[1], resize: "letterbox" };
    const fit = it.fitOf(...given.picture, spec);
    return [fit, given.boxes.map((box) => it.toPicture(box, fit))];
    """
    for case in golden(tests_folder)["letterbox"]:
        fit, mapped = modules("pictures", body, case)
        assert [fit[key] for key in ("left", "top", "width", "height")] == case["fit"]
        np.testing.assert_allclose(mapped, np.clip(case["boxes_in_picture"], 0, 1), atol=1e-9)


def test_numbers_go_to_the_file_and_back_as_in_python(modules):
    random = np.random.Generator(np.random.Philox(9))
    for dtype, scale, zero in (("int8", 0.0173, -5), ("uint8", 0.5, 128), ("int16", 3e-4, 0)):
        values = np.concatenate([
            random.normal(0, 100 * scale, 400), np.arange(-20, 20) * 0.5 * scale, [0, 1e9, -1e9],
        ]).astype(np.float32)  # fmt: skip
        body = """
        const made = it.taken(Float32Array.from(given.values), "float32", given.tensor);
        return [Array.from(made), Array.from(it.real(made, given.tensor.dtype, given.tensor))];
        """
        tensor = {"dtype": dtype, "scale": scale, "zero_point": zero}
        whole, back = modules("numbers", body, {"values": values.tolist(), "tensor": tensor})
        wanted = quantize(values, scale, zero, dtype)
        assert whole == wanted.tolist()
        assert back == dequantize(wanted, scale, zero).tolist()


@pytest.mark.parametrize("kind", ["bytes", "wordpiece"])
def test_a_thousand_texts_become_the_tokens_of_python(modules, pieces, kind):
    texts = sample_texts(1000, surrogates=True)
    reference, place, table = pieces if kind == "wordpiece" else ("bytes", None, None)
    body = """
    const { WordPiece } = await import("/app/wordpiece.js");
    const pieces = given.table ? new WordPiece(JSON.parse(given.table)) : null;
    return JSON.parse(given.texts).map((one) => Array.from(it.tokens(one, given.spec, pieces)));
    """
    for length in (64, 7):
        spec = {"tokenizer": reference, "length": length}
        given = {"texts": json.dumps(texts), "spec": spec, "table": table and table.read_text()}
        assert modules("texts", body, given) == encode_by(reference, place, texts, length).tolist()


def test_wav_files_are_read_and_refused_as_python_does(modules):
    body = """
    const made = [];
    for (const file of given.files) {
      const bytes = Uint8Array.from(atob(file), (one) => one.charCodeAt(0));
      try {
        const sound = it.wave(it.readWav(bytes, given.spec.length, given.spec.rate_hz), given.spec);
        made.push(btoa(String.fromCharCode(...new Uint8Array(sound.buffer))));
      } catch (error) {
        if (!(error instanceof it.WavError)) throw error;
        made.push(null);
      }
    }
    return made;
    """
    spec = {"length": LENGTH, "rate_hz": RATE, "range": [-1, 1], "dtype": "float32"}
    plain, extended = extensible_wavs()
    files = [*whole_wavs(600), plain, *damaged_wavs(400), extended]
    given = {"files": [base64.b64encode(file).decode() for file in files], "spec": spec}
    found = [one and base64.b64decode(one) for one in modules("sounds", body, given)]
    # Python reads extensible headers from 3.12 on.
    assert found.pop() == found[600]
    assert None not in found[:601]
    assert found == [by_python(file) for file in files[:-1]]


@pytest.mark.parametrize("limits", [[-1.0, 1.0], [0.0, 255.0], [-0.3, 0.7]])
def test_sound_becomes_what_python_makes_of_it(modules, limits):
    from edgekit.bundles.packaged.model import _sound

    random = np.random.default_rng(2)
    waves = [random.uniform(-1, 1, size).astype(np.float32) for size in (0, 1, 99, 100, 101, 1000)]
    spec = {"length": 100, "rate_hz": RATE, "range": limits, "dtype": "float32"}
    body = """
    return given.waves.map((one) => Array.from(it.wave(Float32Array.from(one), given.spec)));
    """
    found = modules("sounds", body, {"waves": [one.tolist() for one in waves], "spec": spec})
    assert found == [_sound(one, spec).tolist() for one in waves]


def test_an_example_without_its_grey_sides_becomes_the_same_sample_again(modules):
    spec = InputSpec("i", "uint8", (48, 40, 3), "HWC", range=(0.0, 255.0), resize="letterbox")
    samples = []
    for size in ((40, 20), (20, 40), (41, 48), (200, 9), (9, 200), (40, 47), (40, 48)):
        pixels, _ = images.decode(png(drawn(*size)), 48, 40, resize="letterbox")
        samples.append(pixels.tolist())
    body = """
    return given.samples.map((rows) => {
      const rgba = Uint8Array.from(rows.flat().flatMap((pixel) => [...pixel, 255]));
      const cut = it.withoutSides({ rgba, width: 40, height: 48 }, 114);
      if (!cut) return null;
      const { sample } = it.prepare(cut.rgba, cut.width, cut.height, given.spec);
      return [cut.width, cut.height, sample.every((value, at) => value === rows.flat(2)[at])];
    });
    """
    found = modules("pictures", body, {"samples": samples, "spec": recipe_of(spec)})
    sizes = [one and tuple(one[:2]) for one in found]
    assert sizes == [(40, 20), (24, 48), None, (40, 2), (2, 48), None, None]
    assert all(one is None or one[2] for one in found)


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_signatures_by_keys_of_all_curves_are_checked(modules, tmp_path, curve):
    keys = write_keys(tmp_path / "keys", "mine", "theirs", curve=curve)
    body = """
    const signature = new TextEncoder().encode(given.signature);
    try { await self.checkSignature(given.key, signature, given.files); }
    catch (error) { return error.message; }
    """
    for number in range(5):  # integers of a signature are now and then shorter
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / "file").write_text(str(number))
        sign(folder, keys / "mine.pem")
        files = {"file": {"sha256": hashlib.sha256(str(number).encode()).hexdigest()}}
        given = {"signature": (folder / "bundle.sig").read_text(), "files": files}

        def told(name, given=given):
            return modules("signature", body, {**given, "key": (keys / name).read_text()})

        assert told("mine.pub") is None
        assert "it does not fit" in told("theirs.pub")
        assert "no public elliptic-curve key" in told("mine.pem")
        given["files"] = {"file": {"sha256": "0" * 64}}
        assert "file differs" in told("mine.pub", given)
