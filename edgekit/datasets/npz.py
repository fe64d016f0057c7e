"""`.npz` files with Keras's names: x_train, y_train, x_test, y_test, or x and y.

For a model with several inputs x is one array for each: x_train.left, x_train.right.

Arrays stay as they are: nothing is resized, and the dtype must be the model's own (or uint8
pictures, which are mapped to the model's value range). Pickles are refused, and so are values that
are not finite.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Issue, Samples, require_inputs
from edgekit.datasets.images import fit_pixels
from edgekit.errors import DataError
from edgekit.files import sha256_file
from edgekit.samples import count_of, rows_of
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# What a file may unpack to: a zip of zeros is small on disk.
MAX_BYTES = 16 * 1024**3

_INPUTS = ("x", "x_train", "x_validation", "x_test")
_LABELS = ("y", "y_train", "y_validation", "y_test")
_KNOWN = (*_INPUTS, *_LABELS)
_HINT = "np.savez(path, x_train=…, y_train=…, x_test=…, y_test=…)"
_SEVERAL = 'np.savez(path, **{"x_train.left": …, "x_train.right": …, "y_train": …})'
_ONLY = ""  # the name of an input that nobody named
_MAX_LABEL = 10**6
_SHARES = (("test", 0.2), ("validation", 0.1))


class NpzFile(Dataset):
    """Samples of an `.npz` file, held in memory.

    Without `x_validation` a tenth is taken from the training samples, and from a lone `x` a fifth
    for the test, both drawn by a fixed seed.

    Raises:
        DataError: Not an `.npz`, arrays missing, misnamed, of different lengths, with values that
            are not finite or with bad labels.
    """

    costly = False

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self.name = path.stem
        self.reference = str(self._path)
        arrays, self._unused = self._load()
        self.input_names = self._names(arrays)
        self._inputs, self._labels = self._splits(arrays)
        self.classes = self._count_classes()

    def fingerprint(self) -> str:
        return sha256_file(self._path)

    def issues(self) -> Sequence[Issue]:
        problem = f"an array that means nothing here; those that do: {', '.join(_KNOWN)}"
        found = [Issue("unused array", f"{self._path}: {name}", problem) for name in self._unused]
        for split in self._inputs if self._labels else ():
            if split not in self._labels:
                problem = f"samples without y_{split}: nothing can be measured on them"
                found.append(Issue("no labels", f"split {split}", problem))
        return found

    def size(self, split: str) -> int:
        return count_of(self._inputs[split]) if split in self._inputs else 0

    def labels(self, split: str) -> Array | None:
        return self._labels.get(split)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        arrays = self._inputs[split]
        if self.input_names and spec.name not in arrays:
            require_inputs(self, [spec])
        values = arrays[spec.name if self.input_names else _ONLY][list(indices)]
        values = self._fitted(values, spec)
        if values.dtype != np.dtype(spec.dtype):
            values = self._cast(values, spec)
            self._check_finite(values, f"{split}, as {spec.dtype},")
        labels = self._labels.get(split)
        return Samples(values, None if labels is None else labels[list(indices)])

    def limits(self, dtype_kinds: str, name: str = "") -> tuple[float, float] | None:
        """Lowest and highest stored value, if the samples are of these kinds ("f": floats).

        Args:
            dtype_kinds: As numpy's `dtype.kind`.
            name: Of the input, where there are several.
        """
        key = name if self.input_names else _ONLY
        arrays = [arrays[key] for arrays in self._inputs.values() if key in arrays]
        if not arrays or any(array.dtype.kind not in dtype_kinds for array in arrays):
            return None
        return (
            min(float(array.min()) for array in arrays if len(array)),
            max(float(array.max()) for array in arrays if len(array)),
        )

    def _check_finite(self, values: Array, name: str) -> None:
        import numpy as np

        if values.dtype.kind != "f" or np.isfinite(values).all():
            return
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        raise DataError(
            f"{self._path}: {int((~finite).sum())} of {len(values)} samples of {name} hold NaN or "
            f"infinite values, the first at {int(finite.argmin())}",
            hint="leave such samples out, or store np.nan_to_num(x)",
        )

    def _fitted(self, values: Array, spec: InputSpec) -> Array:
        """Samples in the shape of the input; 8-bit pictures also on its scale."""
        import numpy as np

        shape, first = values.shape[1:], spec.layout == "CHW"
        pictures = values.dtype == np.uint8 and spec.channels > 0 and spec.dtype != "uint8"
        wanted = (*spec.shape[1:], spec.shape[0]) if first and pictures else spec.shape
        if (*shape, 1) == wanted:
            values = values[..., None]
        elif first and pictures and shape == spec.shape:
            values = np.moveaxis(values, 1, -1)
        elif shape != wanted:
            raise DataError(
                f"{self._path}: samples are {list(shape)}; "
                f"the input {spec.name!r} takes {list(spec.shape)}",
                hint="store them in the model's shape; image folders are resized",
            )
        return fit_pixels(values, spec) if pictures else values

    def _cast(self, values: Array, spec: InputSpec) -> Array:
        import numpy as np

        floats = values.dtype.kind == "f" and np.dtype(spec.dtype).kind == "f"
        integers = values.dtype.kind in "iu" and np.dtype(spec.dtype).kind in "iu"
        if integers:
            limits = np.iinfo(spec.dtype)
            integers = bool(values.min() >= limits.min and values.max() <= limits.max)
        if not (floats or integers):
            raise DataError(
                f"{self._path}: samples are {values.dtype}; "
                f"the input {spec.name!r} takes {spec.dtype} in "
                f"{spec.range[0]:g}…{spec.range[1]:g}",
                hint=f"store them as {spec.dtype}",
            )
        with np.errstate(
            over="ignore"
        ):  # float64 beyond float32 becomes inf, refused by the caller
            return values.astype(spec.dtype)

    def _load(self) -> tuple[dict[str, Array], list[str]]:
        """The arrays that mean something, and the names of the others."""
        import numpy as np

        try:
            with zipfile.ZipFile(self._path) as archive:
                total = sum(entry.file_size for entry in archive.infolist())
            if total > MAX_BYTES:
                raise DataError(
                    f"{self._path}: unpacks to {total:,} bytes",
                    limit=f"{MAX_BYTES:,} bytes for an .npz",
                )
            # Opened here: np.load leaves a damaged file open.
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                names = [name for name in stored.files if _means(name)]
                arrays = {name: self._array(stored, name) for name in names}
                held = list(stored.files)
        except (
            OSError,
            ValueError,
            EOFError,
            MemoryError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise DataError(
                f"{self._path}: not a readable .npz: {' '.join(str(error).split())}", hint=_HINT
            ) from error
        others = sorted(set(held) - set(arrays))
        for name in others:
            if meant := _meant(name):
                raise DataError(
                    f"{self._path}: {name} means nothing here", hint=f"did you mean {meant}?"
                )
        if not any(name.partition(".")[0] in ("x", "x_train") for name in arrays):
            raise DataError(
                f"{self._path}: neither x nor x_train in it",
                f"it holds: {', '.join(held) or 'nothing'}",
                hint=_HINT,
            )
        return arrays, others

    def _array(self, stored: Mapping[str, Array], name: str) -> Array:
        try:
            return stored[name]
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise
            raise DataError(
                f"{self._path}: {name} holds Python objects, which edgekit does not read",
                hint="store plain numbers, all samples of one shape",
            ) from error

    def _names(self, arrays: Mapping[str, Array]) -> tuple[str, ...]:
        """The inputs that arrays are for; nothing where they are for the only one."""
        keys = [key for key in arrays if key.partition(".")[0] in _INPUTS]
        names = list(dict.fromkeys(key.partition(".")[2] for key in keys))
        if names == [_ONLY]:
            return ()
        if _ONLY in names:
            raise DataError(
                f"{self._path}: {next(key for key in keys if '.' not in key)} beside "
                f"{next(key for key in keys if '.' in key)}: for one input, or for several?",
                hint=_SEVERAL,
            )
        for prefix in dict.fromkeys(key.partition(".")[0] for key in keys):
            if missing := [name for name in names if f"{prefix}.{name}" not in arrays]:
                others = [key for key in keys if key.partition(".")[0] == prefix]
                raise DataError(
                    f"{self._path}: {prefix}.{missing[0]} is missing",
                    f"it holds {', '.join(others)}; other splits have {', '.join(names)}",
                    hint=_SEVERAL,
                )
        return tuple(names)

    def _splits(
        self, arrays: dict[str, Array]
    ) -> tuple[dict[str, dict[str, Array]], dict[str, Array]]:
        inputs: dict[str, dict[str, Array]] = {}
        labels: dict[str, Array] = {}
        names = self.input_names or (_ONLY,)
        lone = any(key.partition(".")[0] == "x" for key in arrays)
        self._refuse_half(arrays, lone=lone)
        for split in SPLITS:
            suffix = "" if split == "train" and lone else f"_{split}"
            keys = {n: f"x{suffix}.{n}" if n != _ONLY else f"x{suffix}" for n in names}
            if keys[names[0]] not in arrays:
                continue
            inputs[split] = {name: arrays[key] for name, key in keys.items()}
            for name, key in keys.items():
                self._check(key, inputs[split][name])
                self._check_alike(key, inputs[split][name], inputs["train"][name])
            count = count_of(inputs[split])
            for name, key in keys.items():
                if len(inputs[split][name]) != count:
                    raise DataError(
                        f"{self._path}: {keys[names[0]]} has {count} samples, {key} has "
                        f"{len(inputs[split][name])}"
                    )
            if f"y{suffix}" in arrays:
                labels[split] = self._checked_labels(suffix, arrays[f"y{suffix}"], count)
        wanted = [(s, share) for s, share in _SHARES if s == "validation" or lone]
        for split, share in wanted:
            if split not in inputs:
                self._carve(split, share, inputs, labels)
        return inputs, labels

    def _refuse_half(self, arrays: Mapping[str, Array], *, lone: bool) -> None:
        """Refuse arrays that would be left aside without a word, and samples to train without y."""
        prefixes = {key.partition(".")[0] for key in arrays}
        if lone and (other := sorted(prefixes & {"x_train", "y_train"})):
            raise DataError(
                f"{self._path}: {other[0]} beside x: which of them is to be trained on?",
                hint="x and y for all samples, or x_train and y_train",
            )
        for label in sorted(prefixes & set(_LABELS)):
            if label.replace("y", "x", 1) not in prefixes:
                raise DataError(f"{self._path}: {label}, but no {label.replace('y', 'x', 1)}")
        train = "y" if lone else "y_train"
        if prefixes & set(_LABELS) and train not in prefixes:
            raise DataError(
                f"{self._path}: {train} is missing", hint="labels for training, or none at all"
            )

    def _check_alike(self, name: str, values: Array, first: Array) -> None:
        if values.shape[1:] != first.shape[1:]:
            raise DataError(
                f"{self._path}: samples of {name} are {list(values.shape[1:])}, those to train on "
                f"{list(first.shape[1:])}",
                hint="one shape for all splits",
            )

    def _carve(
        self,
        split: str,
        share: float,
        inputs: dict[str, dict[str, Array]],
        labels: dict[str, Array],
    ) -> None:
        """Move a share of the training samples into a split of their own."""
        import numpy as np

        count = count_of(inputs["train"])
        order = np.random.Generator(np.random.Philox(key=(2, count))).permutation(count)
        taken, kept = np.sort(order[: int(count * share)]), np.sort(order[int(count * share) :])
        inputs[split], inputs["train"] = (rows_of(inputs["train"], r) for r in (taken, kept))
        if "train" in labels:
            labels[split], labels["train"] = labels["train"][taken], labels["train"][kept]

    def _check(self, name: str, values: Array) -> None:
        where = f"{self._path}: {name}"
        if values.dtype.kind in "US":
            raise DataError(f"{where} holds text; expected numbers [samples, …]")
        if values.ndim and len(values) == 0:
            raise DataError(f"{where} holds no samples")
        # Of several inputs one may be a number a sample: a time step, a position.
        least = 1 if self.input_names else 2
        if values.ndim < least or values.dtype.kind not in "fiu" or values.size == 0:
            raise DataError(
                f"{where} is {values.dtype} {list(values.shape)}; expected numbers [samples, …]"
            )
        self._check_finite(values, name)

    def _checked_labels(self, suffix: str, values: Array, count: int) -> Array:
        import numpy as np

        if values.ndim == 2 and values.shape[1] == 1:  # as keras.datasets stores CIFAR
            values = values[:, 0]
        if values.ndim and len(values) != count:
            raise DataError(
                f"{self._path}: x{suffix} has {count} samples, y{suffix} has {len(values)} labels"
            )
        if wrong := _wrong_labels(values):
            reason, hint = wrong
            raise DataError(f"{self._path}: y{suffix} {reason}", hint=hint)
        return values.astype(np.int64)

    def _count_classes(self) -> tuple[str, ...]:
        if not self._labels:
            return ()
        return tuple(
            str(n) for n in range(1 + max(int(v.max()) for v in self._labels.values() if len(v)))
        )


def _means(key: str) -> bool:
    """Whether a file's array is samples or labels."""
    prefix, dot, name = key.partition(".")
    return prefix in _INPUTS and bool(name) if dot else key in _KNOWN


def _meant(name: str) -> str | None:
    """Which array somebody means by a name that is nearly one: x_val, X_train, y_tets."""
    prefix, dot, rest = name.partition(".")
    begun = [known for known in _KNOWN if len(prefix) > 2 and known.startswith(prefix.lower())]
    close = begun or get_close_matches(prefix.lower(), _KNOWN, n=1, cutoff=0.7)
    return f"{close[0]}{dot}{rest}" if close else None


def _wrong_labels(values: Array) -> tuple[str, str] | None:
    """What keeps `values` from being class numbers, and what to try; None if they are."""
    import numpy as np

    numbered = "number the classes from 0: np.unique(y, return_inverse=True)[1]"
    if values.ndim != 1:
        hint = "one-hot labels: store y.argmax(axis=1)" if values.ndim == 2 else numbered
        return f"is {values.dtype} {list(values.shape)}; expected one class number a sample", hint
    kind = values.dtype.kind
    if kind in "US":
        return f"holds text ({str(values[0])[:40]!r}); expected class numbers", numbered
    if kind == "f":
        parts = values[values != np.rint(values)]  # NaN too: it equals nothing
        if len(parts):
            return f"holds {parts[0]:g}; class numbers are whole", numbered
    if kind not in "iu":
        return f"is {values.dtype}; expected whole numbers", "store y.astype(np.int64)"
    for extreme in (values.min(), values.max()):
        if not 0 <= extreme <= _MAX_LABEL:
            return f"holds {extreme}; class numbers lie in 0…{_MAX_LABEL:,}", numbered
    return None
