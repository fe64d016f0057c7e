from __future__ import annotations

import hashlib
import io
import wave

import numpy as np
import pytest

from edgekit.bundles.originals import SOUNDS, TEXTS, played, write_originals
from edgekit.datasets.wav import read_wav
from edgekit.errors import ArtifactError
from edgekit.spec import InputSpec
from edgekit.tokenizing import encode_by, train_wordpiece

BYTES = InputSpec(
    name="text", shape=(32,), dtype="int32", layout="text", range=(0.0, 256.0), tokenizer="bytes"
)
SOUND = InputSpec(
    name="sound", shape=(800,), dtype="float32", layout="waveform", range=(-1.0, 1.0), rate_hz=8000
)


def numbers(folder, entry):
    data = (folder.parent / entry["file"]).read_bytes()
    return np.frombuffer(data, np.dtype(entry["dtype"])).reshape(entry["shape"])


@pytest.fixture
def golden(tmp_path):
    (tmp_path / "golden").mkdir()
    return tmp_path / "golden"


def test_texts_become_tokens_by_bytes(golden):
    made = write_originals(golden, [BYTES])
    assert (made["pictures"], made["sounds"]) == ([], [])
    assert [case["text"] for case in made["texts"]] == list(TEXTS)
    for case, tokens in zip(made["texts"], encode_by("bytes", None, TEXTS, 32), strict=True):
        assert np.array_equal(numbers(golden, case["input"]), tokens)


def test_texts_become_tokens_by_a_vocabulary(golden, tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_bytes(train_wordpiece(TEXTS, 300))
    reference = f"wordpiece:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    spec = InputSpec(
        name="text",
        shape=(24,),
        dtype="int32",
        layout="text",
        range=(0.0, 299.0),
        tokenizer=reference,
    )
    made = write_originals(golden, [spec], file)["texts"]
    tokens = encode_by(reference, file, TEXTS, 24)
    assert all(
        np.array_equal(numbers(golden, case["input"]), row)
        for case, row in zip(made, tokens, strict=True)
    )
    assert len({tuple(row) for row in tokens.tolist()}) > len(TEXTS) // 2
    with pytest.raises(ArtifactError, match="tokenizer's file is not there"):
        write_originals(golden, [spec])


def test_sounds_become_what_their_wav_files_hold(golden):
    made = write_originals(golden, [SOUND])["sounds"]
    assert len(made) == len(SOUNDS)
    for case in made:
        path = golden.parent / case["sound"]
        assert np.array_equal(numbers(golden, case["input"]), read_wav(path, 800, 8000))
    by_name = {case["sound"].rpartition("/")[2]: numbers(golden, case["input"]) for case in made}
    assert not by_name["silent.wav"].any()
    assert by_name["short.wav"][:320].any()
    assert not by_name["short.wav"][320:].any()
    assert by_name["mono.wav"].min() == -1.0


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_played_reaches_both_ends_of_every_width(width, channels):
    with wave.open(io.BytesIO(played(500, 8000, channels, width)), "rb") as file:
        shape = (file.getnframes(), file.getnchannels(), file.getsampwidth())
    assert shape == (500, channels, width)
    sound = read_wav(played(500, 8000, channels, width), 500, 8000)
    assert sound.min() == -1.0
    assert sound.max() == np.float32((2 ** (8 * width - 1) - 1) / 2 ** (8 * width - 1))


def test_of_several_inputs_no_originals_are_known(golden):
    made = write_originals(golden, [BYTES, SOUND])
    assert made == {"pictures": [], "texts": [], "sounds": []}
