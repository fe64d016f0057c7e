"""Begin a training with weights from elsewhere; train the head alone.

A model's backbone is everything up to the layer that `[transfer] features` in its `model.toml`
names; the head is what comes after it. While the backbone is frozen, samples are not augmented, and
what it makes of each of them is computed once and kept in the cache, for later epochs and later
trainings. Knows Keras models and checkpoints. Does not know optimizers or epochs.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.drawing import Drawn
from edgekit.errors import ModelError
from edgekit.files import cache_folder, digest_json, replace_folder, scratch_folder, sha256_file
from edgekit.loading import build_keras, packed_inputs
from edgekit.models import WEIGHTS, ModelSource
from edgekit.progress import Progress, Report
from edgekit.training.inputs import count_of, each_input, load_inputs, rows_of

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

IMAGENET = "imagenet"

# Raise when the layout of a cached folder changes. 1: features.npy.
_FORMAT = 1
_DOWNLOAD_TIMEOUT_S = 60.0  # without a byte
_SHOWN = 3  # layers named in a complaint


@dataclass(frozen=True, slots=True)
class Start:
    """Where a training's first weights come from; by default they are random.

    Attributes:
        weights: A checkpoint.
        imagenet: Whether `build()` is asked for Keras's own ImageNet weights.
    """

    weights: Path | None = None
    imagenet: bool = False

    @property
    def is_random(self) -> bool:
        """Whether nothing was trained before."""
        return self.weights is None and not self.imagenet

    def identity(self) -> str | None:
        """What tells it from another start; None for random weights."""
        return sha256_file(self.weights) if self.weights else IMAGENET if self.imagenet else None


def find_start(source: ModelSource, asked: str) -> Start:
    """What `--from` means.

    Args:
        source: The model to be trained.
        asked: "imagenet", the path of a `.weights.h5`, or the data set of a checkpoint in the
            model's folder.

    Raises:
        ModelError: There is no such checkpoint, or the model has no ImageNet weights.
    """
    if asked == IMAGENET:
        if not _takes_pretrained(source.path / "model.py"):
            raise ModelError(
                f"{source.name}: its build() has no argument `pretrained`, so it cannot begin "
                "with ImageNet weights",
                hint="--from PATH of a .weights.h5",
            )
        return Start(imagenet=True)
    path = Path(asked).expanduser()
    if path.suffix == ".h5" or path.name != asked:
        if not path.is_file():
            raise ModelError(f"{path}: no such weights file")
        return Start(path)
    known = source.checkpoints()
    if asked not in known:
        raise ModelError(
            f"--from {asked}: neither a file nor a checkpoint of {source.name}",
            f"it has checkpoints for: {', '.join(sorted(known)) or 'no data set'}",
            hint=f"a data set named there, the path of a {WEIGHTS}, or imagenet",
        )
    return Start(known[asked])


def _takes_pretrained(file: Path) -> bool:
    """Whether `build()` in a model.py has the argument; read, not run: TensorFlow is not up yet."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return False
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "build"
        and any(arg.arg == "pretrained" for arg in [*node.args.args, *node.args.kwonlyargs])
        for node in tree.body
    )


def build_started(
    source: ModelSource, start: Start, *, classes: int
) -> tuple[keras.Model, tuple[str, ...]]:
    """Build a model with its first weights.

    Returns:
        The model, and the names of the layers of its head that begin anew because the checkpoint
        has them in another shape or not at all; none for random weights.

    Raises:
        ModelError: The checkpoint does not fit the backbone, or cannot be read or downloaded.
    """
    if start.imagenet:
        return _build_imagenet(source, classes), ()
    model = build_keras(source, weights=None, classes=classes)
    if start.weights is None:
        return model, ()
    return model, _load_fitting(model, start.weights, source)


def _build_imagenet(source: ModelSource, classes: int) -> keras.Model:
    assert source.spec is not None
    parameters = {**source.spec.parameters, "pretrained": IMAGENET}
    asking = replace(source, spec=replace(source.spec, parameters=parameters))
    try:
        with _quiet_download():
            return build_keras(asking, weights=None, classes=classes)
    except ModelError as error:
        url = re.search(r"https?://\S+?\.h5", str(error))
        if url is None:
            raise
        home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
        place = home / "models" / url[0].rpartition("/")[2]
        raise ModelError(
            f"{source.name}: the ImageNet weights cannot be downloaded",
            f"Keras looks for {place}, then for {url[0]}",
            hint=f"with a network: curl --create-dirs -Lo {place} {url[0]}",
        ) from error


@contextmanager
def _quiet_download() -> Iterator[None]:
    """Keras prints as it loads, warns of another picture's size, and waits for a silent host."""
    import keras

    shown, patience_s = keras.utils.is_interactive_logging_enabled(), socket.getdefaulttimeout()
    keras.utils.disable_interactive_logging()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT_S)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
            yield
    finally:
        socket.setdefaulttimeout(patience_s)
        if shown:
            keras.utils.enable_interactive_logging()


def _load_fitting(model: keras.Model, path: Path, source: ModelSource) -> tuple[str, ...]:
    import numpy as np

    fresh = {id(weight): weight.numpy() for weight in model.weights}
    marked = [weight for weight in model.weights if fresh[id(weight)].dtype.kind == "f"]
    for weight in marked:
        weight.assign(np.full(weight.shape, np.nan))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what does not fit is found below, and told
            model.load_weights(path, skip_mismatch=True)
    except Exception as error:
        raise ModelError(
            f"{path}: these weights cannot be read: {type(error).__name__}: "
            f"{str(error).partition(chr(10))[0][:300]}"
        ) from error
    missing = [
        layer
        for layer in model.layers
        if any(np.isnan(w.numpy()).any() for w in layer.weights if fresh[id(w)].dtype.kind == "f")
    ]
    for layer in missing:
        for weight in layer.weights:
            weight.assign(fresh[id(weight)])
    _refuse_another_backbone(model, missing, path, source)
    return tuple(layer.name for layer in missing)


def _refuse_another_backbone(
    model: keras.Model, missing: list[Any], path: Path, source: ModelSource
) -> None:
    assert source.spec is not None
    features = source.spec.features
    needed = split_at(model, features, source)[0].layers if features else model.layers
    unfit = [layer.name for layer in missing if layer in needed]
    if not unfit:
        return
    more = f" and {len(unfit) - _SHOWN} more" if len(unfit) > _SHOWN else ""
    raise ModelError(
        f"{path}: these weights do not fit the model: {', '.join(unfit[:_SHOWN])}{more} "
        "have another shape, are missing there, or hold NaN",
        f"only layers after {features!r} may differ"
        if features
        else f"{source.name}: its model.toml names no [transfer] features, so every layer must fit",
        hint="the same parameters (--set) as when they were trained?",
    )


def split_at(
    model: keras.Model, features: str, source: ModelSource
) -> tuple[keras.Model, keras.Model]:
    """Backbone and head of a model, which share their layers with it.

    Raises:
        ModelError: There is no such layer, or the head also reads what lies before it.
    """
    import keras

    try:
        middle = model.get_layer(features).output
        # As the model itself was built: a list, a mapping, or one tensor.
        taken = packed_inputs(model, model.inputs)
        return keras.Model(taken, middle), keras.Model(middle, model.outputs)
    except ValueError as error:
        raise ModelError(
            f"{source.name}: its head cannot be trained alone: {str(error).partition(chr(10))[0]}",
            hint="transfer.features in model.toml is the name of the layer that all of the head "
            "reads, and nothing else"
            if features
            else 'name it in model.toml: [transfer] features = "pool"',
        ) from None


def stored_features(
    backbone: keras.Model,
    drawn: Drawn,
    source: ModelSource,
    *,
    batch_size: int,
    task: str,
    report: Report,
) -> Array:
    """What a frozen backbone makes of drawn samples, computed once and mapped from the cache.

    Args:
        backbone: From `split_at`.
        drawn: Samples; known by their digest.
        source: Where the backbone's code is.
        batch_size: Samples at a time.
        task: For progress.
        report: Told every batch.

    Returns:
        float32 [N, ...], read-only.

    Raises:
        OSError: The cache cannot be written.
    """
    import numpy as np
    import tensorflow as tf

    assert source.spec is not None
    key = digest_json(
        {
            "format": _FORMAT,
            "code": {path.name: sha256_file(path) for path in sorted(source.path.rglob("*.py"))},
            "parameters": dict(source.spec.parameters),
            "features": source.spec.features,
            "weights": _weights_digest(backbone),
            "samples": drawn.digest,
        }
    )
    place = cache_folder() / "features" / key
    if not (place / "features.npy").is_file():
        inputs = load_inputs(drawn, source.spec.inputs)
        count = count_of(inputs)
        compute = tf.function(
            lambda *batch: tf.cast(
                backbone(packed_inputs(backbone, batch), training=False), tf.float32
            ),
            reduce_retracing=True,
        )
        with scratch_folder(place) as scratch:
            made = scratch / "features"
            made.mkdir()
            parts = []
            for at in range(0, count, batch_size):
                batch = each_input(rows_of(inputs, slice(at, at + batch_size)))
                parts.append(compute(*(tf.constant(values) for values in batch)).numpy())
                report(Progress(task, min(at + batch_size, count), count))
            np.save(made / "features.npy", np.concatenate(parts))
            replace_folder(made, place)
    features: Array = np.load(place / "features.npy", mmap_mode="r")
    return features


def _weights_digest(model: keras.Model) -> str:
    import numpy as np

    total = hashlib.sha256()
    for weight in model.weights:
        values = np.ascontiguousarray(weight.numpy())
        total.update(f"{values.dtype} {values.shape}".encode())
        total.update(values.tobytes())
    return total.hexdigest()
