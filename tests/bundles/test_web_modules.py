"""What the app for the web computes is what Python computes: pictures, texts, numbers, objects."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from edgekit import detection
from edgekit.bundles.originals import drawn
from edgekit.datasets import images
from edgekit.datasets.recipe import recipe_of
from edgekit.spec import InputSpec
from edgekit.tensor import dequantize, quantize
from edgekit.tokenizing import encode_by

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


def test_texts_become_the_tokens_of_python(modules):
    texts = ["", "plain", "é" * 40, "\U0001f469\u200d\U0001f467 e\u0301", "a\ud800b", "\x00\x7f"]
    texts += ["語" * 100, "x" * 5000]
    length = 64
    body = "return JSON.parse(given.texts).map((one) => Array.from(it.tokens(one, given.spec)));"
    spec = {"tokenizer": "bytes", "length": length}
    found = modules("texts", body, {"texts": json.dumps(texts), "spec": spec})
    assert found == encode_by("bytes", None, texts, length).tolist()
