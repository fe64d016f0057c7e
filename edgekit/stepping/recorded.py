"""`name-steps`: single steps through names, with the caches that `gpt` has there.

A cache is made by a model, so this data set knows one: the reference model `gpt`, whose folder says
in numpy what its keys and values are (`reference.py`). Needs no network and no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from edgekit.datasets import SPLITS, Samples
from edgekit.datasets.name_texts import CODE, NameTexts, babel_fingerprint
from edgekit.errors import DataError
from edgekit.files import digest_json, sha256_file
from edgekit.loading import call_in_folder
from edgekit.models import ModelSource, resolve_model
from edgekit.spec import InputSpec
from edgekit.stepping.loop import POSITION, TOKEN
from edgekit.tokenizing import BYTES, encode

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a sample may change. 1: the first.
VERSION = 1
MODEL, TRAINED_ON = "gpt", "next-bytes"
REFERENCE = "reference.py"
KEYS, VALUES = "keys", "values"


class NameSteps(NameTexts):
    """Sample i of a split is one step within text i of `next-bytes`, drawn by (split, i).

    The step is at a byte of the name, or the space before it. Caches hold what `gpt` made of the
    tokens before it, and zeros behind. The label is the byte that comes next.

    Raises:
        MissingExtraError: Babel is not installed.
        ModelError: `gpt` has no weights.
    """

    name = "name-steps"
    reference = "name-steps"
    task = "language-modelling"
    input_names = (TOKEN, POSITION, KEYS, VALUES)
    label_shape = ()

    def __init__(self) -> None:
        super().__init__()
        self._latest: tuple[bytes, tuple[Array, Array]] | None = None

    def fingerprint(self) -> str:
        source = self._source
        weights = source.weights_for(TRAINED_ON)
        code = sha256_file(source.path / REFERENCE)
        known = babel_fingerprint(self.name, VERSION)
        return digest_json({"names": known, "weights": sha256_file(weights), "code": code})

    def labels(self, split: str) -> Array:
        tokens, positions = self._steps(split, range(self.size(split)))
        return _at(tokens, positions + 1).astype("int64")

    def class_counts(self, split: str) -> None:
        return None  # of 256 bytes most are in no name

    def choose(self, split: str, count: int) -> Sequence[int]:
        import numpy as np

        size = self.size(split)  # as they come: rare bytes are not to be met more often
        shuffled = np.random.Generator(np.random.Philox(key=(VERSION, size))).permutation(size)
        return [int(index) for index in shuffled[:count]]

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        tokens, positions = self._steps(split, indices)
        labels = _at(tokens, positions + 1).astype("int64")
        if spec.name == POSITION:
            return Samples(positions.astype(spec.dtype), labels)
        if spec.name == TOKEN:
            return Samples(_at(tokens, positions).astype(spec.dtype), labels)
        return Samples(self._cache(tokens, positions, spec), labels)

    def _steps(self, split: str, indices: Sequence[int]) -> tuple[Array, Array]:
        """Tokens int32 [N, length] of the texts, and where their steps are: int64 [N]."""
        import numpy as np

        texts = [self.original(split, int(index)) for index in indices]
        tokens = encode(BYTES, texts, self._length)
        counts = (tokens > 0).sum(axis=1)
        stream = VERSION << 8 | SPLITS.index(split)
        randoms = (np.random.Philox(key=(stream, int(index))) for index in indices)
        chance = np.array([np.random.Generator(one).random() for one in randoms])
        # The last token of a text has none behind it.
        return tokens, CODE - 1 + (chance * (counts - CODE)).astype(np.int64)

    def _cache(self, tokens: Array, positions: Array, spec: InputSpec) -> Array:
        import numpy as np

        parameters = self._model.parameters
        names = ("depth", "heads", "length", "size")
        known = tuple(int(parameters[name]) for name in names)
        if spec.shape != known or spec.dtype != "float32":
            raise DataError(
                f"{self.name}: {MODEL} has caches float32 {list(known)}; "
                f"the input {spec.name!r} takes {spec.dtype} {list(spec.shape)}"
            )
        made = self._made(tokens)[(KEYS, VALUES).index(spec.name)]
        there = np.arange(self._length) < positions[:, None]
        return np.asarray(made * there[:, None, None, :, None], np.float32)

    def _made(self, tokens: Array) -> tuple[Array, Array]:
        """Keys and values of every token; both are asked for, one after the other."""
        key = tokens.tobytes()
        if self._latest is None or self._latest[0] != key:
            parameters = self._model.parameters
            made = call_in_folder(
                self._source,
                REFERENCE,
                "caches",
                weights=self._source.weights_for(TRAINED_ON),
                tokens=tokens,
                heads=parameters["heads"],
                activation=parameters["activation"],
            )
            self._latest = key, made
        return self._latest[1]

    @property
    def _length(self) -> int:
        return int(self._model.parameters["length"])

    @cached_property
    def _source(self) -> ModelSource:
        return resolve_model(MODEL)

    @property
    def _model(self) -> Any:
        return self._source.spec


def _at(tokens: Array, positions: Array) -> Array:
    """Of each row the token at its position: [N]."""
    import numpy as np

    return np.take_along_axis(tokens, positions[:, None], axis=1)[:, 0]
