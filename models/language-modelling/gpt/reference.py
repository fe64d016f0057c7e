"""The keys and values of GPT in numpy, from its weights alone: what a cache holds.

The same sums as `model.py`, written a second time without Keras: data for the step form need no
TensorFlow, and each file checks the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_PARTS = ("_norm1", "_query", "_key", "_value", "_join", "_norm2", "_expand", "_reduce")


def caches(weights: Path, tokens: Any, heads: int, activation: str) -> tuple[Any, Any]:
    """Keys and values of every token in every layer.

    Args:
        weights: A `.weights.h5` of `model.py`.
        tokens: int32 [N, length].
        heads: Attention heads.
        activation: Of the perceptrons; only "relu" is written down here.

    Returns:
        Two arrays, float32 [N, depth, heads, length, size].
    """
    import h5py

    if activation != "relu":
        raise ValueError(f"activation {activation!r}: the caches are known for relu alone")
    with h5py.File(weights) as file:
        layers = file["layers"]
        depth = sum(name.split("_")[0] == "block" for name in layers)
        words, places = _read(layers["embedding"])
        blocks = [layers["block" + f"_{index}" * (index > 0)] for index in range(depth)]
        parts = [{name: _read(block[name]) for name in _PARTS} for block in blocks]
    x = words[tokens] + places
    kept: list[tuple[Any, Any]] = []
    for part in parts:
        y = _norm(x, *part["_norm1"])
        query, key, value = (
            _split(y @ kernel + bias, heads)
            for kernel, bias in (part["_query"], part["_key"], part["_value"])
        )
        kept.append((key, value))
        x = x + _dense(_attended(query, key, value), *part["_join"])
        y = np.maximum(_dense(_norm(x, *part["_norm2"]), *part["_expand"]), 0)
        x = x + _dense(y, *part["_reduce"])
    keys, values = (np.stack(one, axis=1) for one in zip(*kept, strict=True))
    return keys, values


def _read(group: Any) -> list[Any]:
    """The weights of a layer, in its order."""
    variables = group["vars"]
    return [np.asarray(variables[name], np.float32) for name in sorted(variables)]


def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    return x @ kernel + bias


def _norm(x: Any, scale: Any, offset: Any) -> Any:
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * scale + offset


def _split(x: Any, heads: int) -> Any:
    count, length, inner = x.shape
    return x.reshape(count, length, heads, inner // heads).transpose(0, 2, 1, 3)


def _attended(query: Any, key: Any, value: Any) -> Any:
    """Causal attention: [N, heads, length, size] each → [N, length, heads · size]."""
    count, heads, length, size = query.shape
    scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size))
    scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
    looked = np.exp(scores - scores.max(axis=-1, keepdims=True))
    looked /= looked.sum(axis=-1, keepdims=True)
    found = (looked @ value).transpose(0, 2, 1, 3)
    return found.reshape(count, length, heads * size)
