"""Turn a `ModelSource` into a callable that TensorFlow can trace.

Imports TensorFlow, so it runs in a child process or in training. Knows Keras's formats and their
traps. Does not trace, freeze or convert.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from edgekit.errors import EdgekitError, MissingExtraError, ModelError
from edgekit.models import ModelSource
from edgekit.spec import ModelSpec

if TYPE_CHECKING:
    import keras


MODEL_FILE = "model.py"
TRAINING_FILE = "training.py"


def import_tensorflow(purpose: str, *, gpu: bool = False) -> Any:
    """Import TensorFlow quietly.

    Args:
        purpose: What needs it, for the error if it is not there.
        gpu: Let it take a GPU, for training; conversion and reference outputs are the CPU's, whose
            sums repeat.

    Raises:
        MissingExtraError: TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not gpu and "tensorflow" not in sys.modules:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        import tensorflow as tf
    except ImportError as error:
        if error.name != "tensorflow":
            raise
        raise MissingExtraError("tensorflow", "export", purpose) from None
    tf.get_logger().setLevel("ERROR")
    return tf


def build_keras(
    source: ModelSource, *, weights: Path | None, classes: int | None
) -> keras.Model | Any:
    """Build a model and load its weights.

    Args:
        source: From `resolve_model`.
        weights: A `.weights.h5` for a model folder; None leaves the initial values.
        classes: Number of classes for a model folder's `build()`.

    Returns:
        A `keras.Model`; for a SavedModel, its serving signature (a ConcreteFunction).

    Raises:
        ModelError: The model does not build, load, or has weights that are not finite.
        MissingExtraError: TensorFlow is not installed.
    """
    import_tensorflow(f"building {source.name}")
    if source.kind == "folder":
        model = _build_folder(source, classes)
        if weights is not None:
            _load_weights(model, weights)
    elif weights is not None:
        model = _load_file(source)
        _load_weights(model, weights)
    elif source.kind == "savedmodel":
        return _load_saved_model(source)
    else:
        model = _load_file(source)
    _refuse_bad_weights(model, weights or source.path)
    return model


def _build_folder(source: ModelSource, classes: int | None) -> keras.Model:
    assert source.spec is not None
    # Where labels are no classes (pictures to be given again), `build()` need not take any.
    optional = {"classes": classes}
    model: keras.Model = call_in_folder(
        source, MODEL_FILE, "build", optional, **source.spec.parameters
    )
    model = _in_order(model, source.spec)
    taken = [list(tensor.shape[1:]) for tensor in model.inputs]
    said = [list(entry.shape) for entry in source.spec.inputs]
    if len(taken) != len(said) or not all(map(_fits, taken, said)):
        names = [entry.name for entry in source.spec.inputs]
        told = (f"{name} {shape}" for name, shape in zip(names, said, strict=True))
        raise ModelError(
            f"{source.path / MODEL_FILE}: build() takes {', '.join(map(str, taken))}; "
            f"model.toml says {', '.join(told)}"
        )
    return model


def _fits(taken: Sequence[int | None], said: Sequence[int]) -> bool:
    """Whether a shape is one that a model takes; None stands for any size."""
    return len(taken) == len(said) and all(a in (None, b) for a, b in zip(taken, said, strict=True))


def call_in_folder(
    source: ModelSource,
    file: str,
    function: str,
    optional: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Any:
    """Call a function of a model folder's own code.

    Args:
        source: Of kind "folder".
        file: Of its Python files.
        function: In that file.
        optional: Arguments that are handed over where the function takes them.
        arguments: Of the function.

    Raises:
        ModelError: The file cannot be imported, has no such function, or that failed.
    """
    path = source.path / file
    module_spec = spec_from_file_location(f"edgekit_{path.stem}_{source.name}", path)
    if module_spec is None or module_spec.loader is None:
        raise ModelError(f"{path}: cannot be imported")
    module = module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # where dataclasses and Keras look classes up
    try:
        module_spec.loader.exec_module(module)
        if not callable(getattr(module, function, None)):
            raise ModelError(f"{path}: has no function {function}()")
        called = getattr(module, function)
        taken = signature(called).parameters
        arguments |= {name: one for name, one in (optional or {}).items() if name in taken}
        return called(**arguments)
    except EdgekitError:
        raise
    except (Exception, SystemExit) as error:  # a folder's code ends edgekit no more than it fails
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path}: {function}() failed: {reason}") from error


def _in_order(model: keras.Model, spec: ModelSpec) -> keras.Model:
    """A model whose inputs or outputs go by name, with those in the order of `model.toml`.

    Keras itself would sort the names.
    """
    import keras

    taken, given = (getattr(model, f"_{side}s_struct", None) for side in ("input", "output"))
    if not (isinstance(taken, dict) or isinstance(given, dict)):
        return model
    found = []
    for side, struct, names, flat in (
        ("inputs", taken, [entry.name for entry in spec.inputs], model.inputs),
        ("outputs", given, spec.outputs, model.outputs),
    ):
        if isinstance(struct, dict) and set(struct) != set(names):
            raise ModelError(
                f"build() names the {side} {', '.join(struct)}; model.toml {', '.join(names)}"
            )
        found.append([struct[name] for name in names] if isinstance(struct, dict) else flat)
    return keras.Model(found[0], found[1], name=model.name)


def _load_file(source: ModelSource) -> keras.Model:
    import keras

    custom = {"DepthwiseConv2D": _depthwise_without_groups()} if source.kind == "h5" else {}
    try:
        # Compiling needs the training loss, which may be custom, and nothing here trains.
        return keras.saving.load_model(
            source.path, custom_objects=custom, compile=False, safe_mode=not source.trusted
        )
    except Exception as error:
        raise ModelError(
            f"{source.path}: Keras cannot load it: {_first_line(error)}",
            hint="custom layers: write a model folder with model.py (docs/models.md)",
        ) from error


def _depthwise_without_groups() -> type:
    """Keras 2 wrote a `groups` key into DepthwiseConv2D that Keras 3 refuses; it meant nothing."""
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("groups", None)
            super().__init__(*args, **kwargs)

    return DepthwiseConv2D


def _load_saved_model(source: ModelSource) -> Any:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(source.path))
    except Exception as error:
        raise ModelError(
            f"{source.path}: TensorFlow cannot load it: {_first_line(error)}"
        ) from error
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        names = ", ".join(loaded.signatures) or "none"
        raise ModelError(f"{source.path}: no signature serving_default; it has: {names}")
    # Its variables live only as long as the loaded object does.
    signature.owner = loaded
    return signature


def _load_weights(model: keras.Model, path: Path) -> None:
    import h5py

    if not path.is_file():
        raise ModelError(f"{path}: no such weights file")
    if not h5py.is_hdf5(path) and not is_zipfile(path):
        raise ModelError(
            f"{path}: these weights cannot be read: neither a .weights.h5 nor a .keras file"
        )
    try:
        model.load_weights(path)
    except Exception as error:
        raise ModelError(
            f"{path}: these weights do not fit the model: {_first_line(error)}",
            hint="same parameters (--set) and same number of classes as when they were trained?",
        ) from error


def _refuse_bad_weights(model: keras.Model, origin: Path) -> None:
    import numpy as np

    for variable in model.weights:
        values = np.asarray(variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            # As a pre-trained backbone leaves the head that nobody trained yet.
            untrained = bool(np.isnan(values).all())
            raise ModelError(
                f"{origin}: the weight {variable.path} holds {bad:,} values that are "
                "NaN or infinite",
                hint="made by --pretrain? edgekit train --from it first"
                if untrained
                else "training diverged? take an earlier checkpoint",
            )


def packed_inputs(model: keras.Model, tensors: Sequence[Any]) -> Any:
    """One tensor for each input, in the order of `model.inputs`, as calling the model takes them.

    A model built with `keras.Model([a, b], …)` takes a list, one with one input its tensor.
    """
    import keras

    structure = getattr(model, "_inputs_struct", None)
    return (
        tensors[0] if structure is None else keras.tree.pack_sequence_as(structure, list(tensors))
    )


def unroll_recurrent(model: keras.Model, limit: int) -> tuple[keras.Model, list[str]]:
    """A copy of `model` whose recurrent layers are unrolled, and the names of those layers.

    A loop cannot be quantized by TFLite's converter (it crashes), and OpenVINO cannot read it from
    ONNX; unrolled, the same arithmetic converts everywhere. Sequences longer than `limit` steps are
    left as loops: the graph would grow too large.
    """
    names: list[str] = []
    for layer in model._flatten_layers():  # noqa: SLF001  nested models too, which `layers` leaves out
        inner = _recurrent_layers(layer)
        if inner and 1 < _steps(layer) <= limit:
            names += [entry.name for entry in inner if not entry.unroll]
    if not names:
        return model, []

    def unroll(entry: dict[str, Any]) -> None:
        if entry.get("name") in names and "unroll" in entry:
            entry["unroll"] = True

    return _rebuilt(model, unroll), names


def in_float32(model: keras.Model) -> keras.Model:
    """The model with every layer computing in float32, as all converters need it.

    Mixed precision is a way to train: the weights are float32, only the arithmetic is not.
    """
    layers = model._flatten_layers()  # noqa: SLF001
    if not any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers):
        return model

    def widen(entry: dict[str, Any]) -> None:
        policy = entry.get("dtype")
        if isinstance(policy, dict):
            policy["config"] = {**policy.get("config", {}), "name": "float32"}
        elif isinstance(policy, str) and policy.endswith("float16"):
            entry["dtype"] = "float32"

    return _rebuilt(model, widen)


def _rebuilt(model: keras.Model, edit: Callable[[dict[str, Any]], None]) -> keras.Model:
    """A copy with the same weights; `edit` changes the config of every layer, inner ones too."""
    import keras

    def edited(layer: Any) -> Any:
        config = keras.saving.serialize_keras_object(layer)
        todo = [config]
        while todo:
            item = todo.pop()
            if isinstance(item, dict):
                if isinstance(item.get("config"), dict):
                    edit(item["config"])
                todo += item.values()
            elif isinstance(item, list):
                todo += item
        return keras.saving.deserialize_keras_object(config, safe_mode=False)

    # Classes of the model's own file, which Keras knows only where they are registered.
    own = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}  # noqa: SLF001
    with keras.saving.custom_object_scope(own):
        copy = keras.models.clone_model(model, clone_function=edited)
    copy.set_weights(model.get_weights())
    return copy


def _recurrent_layers(layer: Any) -> list[Any]:
    import keras

    if isinstance(layer, keras.layers.RNN):
        return [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return []


def _steps(layer: Any) -> int:
    """Steps of the sequence a layer reads; 0 where that is open, or for a wrapped layer."""
    try:
        return int(layer.input.shape[1] or 0)
    except (AttributeError, ValueError):
        return 0


@contextmanager
def without_jit_compile() -> Iterator[None]:
    """Make `tf.function` ignore `jit_compile` while tracing.

    Keras wraps grouped convolutions in `tf.function(jit_compile=True)`; the call survives freezing
    as a StatefulPartitionedCall that no converter understands.
    """
    import tensorflow as tf

    original = tf.function

    def plain(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("jit_compile", None)
        return original(*args, **kwargs)

    tf.function = plain
    try:
        yield
    finally:
        tf.function = original


def sample_shape(name: str, shape: Any, override: tuple[int, ...] | None) -> tuple[int, ...]:
    """The fixed shape of one sample, without the batch axis.

    Raises:
        ModelError: The model leaves an axis open and no override was given, or it contradicts one.
    """
    declared = list(shape)[1:]
    if override is not None:
        fits = len(override) == len(declared) and all(
            d in (None, o) for d, o in zip(declared, override, strict=True)
        )
        if not fits:
            raise ModelError(f"input {name!r} is {declared}; --input-shape says {list(override)}")
        return override
    if any(size is None for size in declared):
        raise ModelError(
            f"input {name!r} has no fixed shape: {declared}",
            hint="--input-shape 224,224,3 (without the batch axis)",
        )
    return tuple(int(size) for size in declared)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A line that ends in a colon announces the reason.
    text = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    # Keras goes on with the values of the whole variable.
    return f"{type(error).__name__}: {text.partition(' Target variable:')[0][:400]}"
