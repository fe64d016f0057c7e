"""GoogLeNet (Szegedy et al. 2015, arXiv 1409.4842), and its modules of Inception-v3 (1512.00567).

For pictures of 32 × 32, with a fifth of the channels, five of the nine modules; the layers before
them halve the sides twice, not three times. Batch normalisation behind every convolution, as in
Inception-v2 (1502.03167), stands for local response normalisation and for the two classifiers in
the middle, which helped training only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

# Channels in the paper's table 1: 1 × 1; 3 × 3 and what reduces before it; 5 × 5, likewise; pooled.
_MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
_DEPTHS = {22: tuple(_MODULES), 14: ("3a", "3b", "4a", "4e", "5b")}  # layers with weights


def build(
    classes: int,
    size: int = 32,
    width: float = 0.1875,
    depth: int = 14,
    modules: str = "inception",
    dropout: float = 0.2,
) -> keras.Model:
    """GoogLeNet with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture, at least 32.
        width: Factor on the paper's channels.
        depth: Layers with weights on the longest way of GoogLeNet's own modules: 22, which is all
            nine, or 14, which leaves out 4b, 4c, 4d and 5a.
        modules: "inception" (GoogLeNet's) or "factorised" (Inception-v3's: two 3 × 3 for a 5 × 5,
            then 1 × 3 and 3 × 1 one behind the other, at last side by side; sides are halved by
            convolutions beside a pooling).
        dropout: Share of values dropped before the classifier while training (there 0.4).

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if modules not in ("inception", "factorised"):
        raise ValueError(f"modules {modules!r}: inception or factorised")
    if depth not in _DEPTHS:
        raise ValueError(f"depth {depth}: 14 or 22")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolution(x, round(64 * width), 3, "stem1")
    x = layers.MaxPooling2D(3, 2, "same", name="stem1_pool")(x)
    x = _convolution(x, round(64 * width), 1, "stem2_reduce")
    x = _convolution(x, round(192 * width), 3, "stem2")
    x = layers.MaxPooling2D(3, 2, "same", name="stem2_pool")(x)
    factorised, stage = modules == "factorised", "3"
    for name in _DEPTHS[depth]:
        if name[0] != stage:
            x, stage = _halved(x, factorised, f"pool{name[0]}"), name[0]
        counts = tuple(max(4, round(count * width)) for count in _MODULES[name])
        make = _FACTORISED[stage] if factorised else _inception
        x = make(x, counts, f"module{name}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="pool_dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="googlenet")


def _convolution(x: Any, channels: int, kernel: Any, name: str, stride: int = 1) -> Any:
    x = layers.Conv2D(
        channels,
        kernel,
        stride,
        "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _pooled(x: Any, channels: int, name: str) -> Any:
    x = layers.MaxPooling2D(3, 1, "same", name=f"{name}_pool")(x)
    return _convolution(x, channels, 1, f"{name}_pooled")


def _chain(x: Any, steps: list[tuple[int, Any]], name: str) -> Any:
    """Convolutions one behind the other: (channels, kernel)."""
    for index, (channels, kernel) in enumerate(steps):
        x = _convolution(x, channels, kernel, f"{name}_{index}")
    return x


def _inception(x: Any, counts: tuple[int, ...], name: str) -> Any:
    """GoogLeNet's module (figure 2b)."""
    one, three_in, three, five_in, five, pooled = counts
    return layers.Concatenate(name=name)(
        [
            _chain(x, [(one, 1)], f"{name}_one"),
            _chain(x, [(three_in, 1), (three, 3)], f"{name}_three"),
            _chain(x, [(five_in, 1), (five, 5)], f"{name}_five"),
            _pooled(x, pooled, name),
        ]
    )


def _small_kernels(x: Any, counts: tuple[int, ...], name: str) -> Any:
    """Two 3 × 3 for the 5 × 5 (Inception-v3's figure 5)."""
    one, three_in, three, five_in, five, pooled = counts
    return layers.Concatenate(name=name)(
        [
            _chain(x, [(one, 1)], f"{name}_one"),
            _chain(x, [(three_in, 1), (three, 3)], f"{name}_three"),
            _chain(x, [(five_in, 1), (five, 3), (five, 3)], f"{name}_five"),
            _pooled(x, pooled, name),
        ]
    )


def _rows_and_columns(x: Any, counts: tuple[int, ...], name: str) -> Any:
    """A row and a column for each square kernel (figure 6)."""
    one, three_in, three, five_in, five, pooled = counts
    row, column = (1, 3), (3, 1)
    twice = [(five_in, 1), (five, row), (five, column), (five, row), (five, column)]
    return layers.Concatenate(name=name)(
        [
            _chain(x, [(one, 1)], f"{name}_one"),
            _chain(x, [(three_in, 1), (three_in, row), (three, column)], f"{name}_three"),
            _chain(x, twice, f"{name}_five"),
            _pooled(x, pooled, name),
        ]
    )


def _side_by_side(x: Any, counts: tuple[int, ...], name: str) -> Any:
    """The row beside the column: more features of few places (figure 7)."""
    one, three_in, three, five_in, five, pooled = counts
    thin = _chain(x, [(three_in, 1)], f"{name}_three")
    wide = _chain(x, [(five_in, 1), (five, 3)], f"{name}_five")
    return layers.Concatenate(name=name)(
        [
            _chain(x, [(one, 1)], f"{name}_one"),
            _convolution(thin, three // 2, (1, 3), f"{name}_three_row"),
            _convolution(thin, three // 2, (3, 1), f"{name}_three_column"),
            _convolution(wide, five // 2, (1, 3), f"{name}_five_row"),
            _convolution(wide, five // 2, (3, 1), f"{name}_five_column"),
            _pooled(x, pooled, name),
        ]
    )


def _halved(x: Any, factorised: bool, name: str) -> Any:
    """Half the height and width: by pooling, or by convolutions beside it (figure 10)."""
    pooled = layers.MaxPooling2D(3, 2, "same", name=f"{name}_pool")(x)
    if not factorised:
        return pooled
    reduced = _convolution(x, x.shape[-1] // 4, 1, f"{name}_reduce")
    strided = _convolution(reduced, x.shape[-1] // 2, 3, f"{name}_strided", stride=2)
    return layers.Concatenate(name=name)([strided, pooled])


_FACTORISED: dict[str, Callable[[Any, tuple[int, ...], str], Any]] = {
    "3": _small_kernels,
    "4": _rows_and_columns,
    "5": _side_by_side,
}
