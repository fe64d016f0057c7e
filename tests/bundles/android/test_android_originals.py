"""Golden pictures, texts and sounds of any bundle are what its Kotlin makes of them, to the bit."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from edgekit.bundles.contents import CONTENTS, CONTRACT, TOKENIZER, WORDPIECE, Contents, Entry, Held
from edgekit.bundles.originals import PICTURES, SOUNDS, TEXTS, write_originals
from edgekit.bundles.wordpiece import write_wordpiece
from edgekit.datasets.recipe import recipe_of
from edgekit.files import canonical_json, sha256_file
from edgekit.spec import InputSpec
from edgekit.tokenizing import train_wordpiece

from .conftest import RefusedError

pytestmark = pytest.mark.kotlin

PICTURE = InputSpec("x", "float32", (3, 20, 28), "CHW", range=(-1.0, 1.0), resize="letterbox")
BYTES = InputSpec("x", "int32", (32,), "text", range=(0.0, 256.0), tokenizer="bytes")
SOUND = InputSpec("x", "float32", (800,), "waveform", range=(-1.0, 1.0), rate_hz=8000)


@pytest.fixture
def write(tmp_path):
    """Writes the golden originals of an input as a bundle that holds nothing else."""

    def bundle(spec, tokenizer=None):
        (tmp_path / "golden").mkdir(exist_ok=True)
        cases = {
            "version": 1,
            "cases": [],
            **write_originals(tmp_path / "golden", [spec], tokenizer),
        }
        (tmp_path / "golden/cases.json").write_text(canonical_json(cases))
        contract = {"version": 1, "inputs": [recipe_of(spec)], "answer": {"kind": "tensors"}}
        contract |= {"artifacts": {"a": {"inputs": [], "outputs": []}}}
        (tmp_path / CONTRACT).write_text(canonical_json(contract))
        (tmp_path / "model").touch()
        return told(tmp_path)

    return bundle


def told(folder):
    """Say in `bundle.json` what lies there."""
    files = {
        path.relative_to(folder).as_posix(): Entry(sha256_file(path), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CONTENTS
    }
    held = Held("a", "onnx", "float32", "model", files["model"].sha256, 0)
    contents = Contents("it", "1.0.0", "android", "it", "", "", (held,), files=files)
    (folder / CONTENTS).write_text(contents.text())
    return folder


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (PICTURE, len(PICTURES) * 3 * 20 * 28),
        (BYTES, len(TEXTS) * 32),
        (SOUND, len(SOUNDS) * 800),
        (replace(SOUND, range=(0.0, 255.0)), len(SOUNDS) * 800),
    ],
)
def test_originals_become_the_samples_of_python(steps, write, spec, values):
    folder = write(spec)
    assert steps("originals", str(folder), "a") == [str(values).encode()]
    file = next(path for path in sorted(folder.rglob("*.bin")) if path.stat().st_size)
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with pytest.raises(RefusedError, match=r"preprocessing gives other values$"):
        steps("originals", str(told(folder)), "a")


def test_texts_become_pieces_by_the_table_of_their_own_tokenizer(steps, write, tmp_path):
    (tmp_path / TOKENIZER).write_bytes(train_wordpiece(TEXTS, 300))
    digest = hashlib.sha256((tmp_path / TOKENIZER).read_bytes()).hexdigest()
    spec = replace(BYTES, tokenizer=f"wordpiece:{digest}", range=(0.0, 299.0))
    write_wordpiece(tmp_path / TOKENIZER, tmp_path / WORDPIECE)
    folder = write(spec, tmp_path / TOKENIZER)
    assert steps("originals", str(folder), "a") == [str(len(TEXTS) * 32).encode()]
    table = (tmp_path / WORDPIECE).read_text().replace(digest, "0" * 64)
    (tmp_path / WORDPIECE).write_text(table)
    with pytest.raises(RefusedError, match=r"wordpiece\.json is not of the tokenizer wordpiece:"):
        steps("originals", str(told(folder)), "a")
