"""The tokenizer of a text model, which is trained with its weights and from the same texts.

It lies beside them as `<weights stem>.tokenizer.json`. Only training texts shape it. Does not
tokenize (`edgekit.tokenizing`).
"""

from __future__ import annotations

from pathlib import Path

from edgekit.datasets import Dataset
from edgekit.errors import DataError
from edgekit.files import write_atomic
from edgekit.models import WEIGHTS, ModelSource, tokenizer_beside
from edgekit.spec import ModelSpec
from edgekit.tokenizing import WORDPIECE, keep, train_wordpiece

# More texts hardly change which pieces are frequent.
_MOST_TEXTS = 200_000


def with_tokenizer(
    source: ModelSource, spec: ModelSpec, dataset: Dataset, folder: Path, start: Path | None
) -> tuple[ModelSource, ModelSpec]:
    """Make the tokenizer of a training, or take over the one of its first weights.

    Args:
        source: The model.
        spec: Its `model.toml`.
        dataset: What it is trained on; only its training texts are read.
        folder: The run folder; gets `<dataset>.tokenizer.json`.
        start: Weights to begin with. Their vectors belong to their own tokenizer, which is kept.

    Returns:
        Model and specification, with the tokenizer's reference in the inputs; both unchanged where
        the model needs none.

    Raises:
        DataError: The data set holds no texts, or the tokenizer of `start` cannot be read.
    """
    if not source.needs_tokenizer:
        return source, spec
    place = tokenizer_beside(folder / f"{dataset.name}{WEIGHTS}")
    if start is not None and tokenizer_beside(start).is_file():
        keep(tokenizer_beside(start))
        data = tokenizer_beside(start).read_bytes()
    else:
        # One for all inputs, as large as the smallest of them allows.
        texts = [entry for entry in spec.inputs if entry.tokenizer == WORDPIECE]
        vocabulary = int(min(entry.range[1] for entry in texts)) + 1
        data = train_wordpiece(_training_texts(dataset), vocabulary)
    write_atomic(place, data)
    made = source.with_tokenizer(keep(place))
    assert made.spec is not None
    return made, made.spec


def _training_texts(dataset: Dataset) -> list[str]:
    texts = []
    for index in range(min(dataset.size("train"), _MOST_TEXTS)):
        text = dataset.original("train", index)
        if not isinstance(text, str):
            raise DataError(f"{dataset.name} holds no texts to make a tokenizer from")
        texts.append(text)
    return texts
