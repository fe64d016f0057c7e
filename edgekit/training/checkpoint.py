"""Weights on disk: `.weights.h5` as Keras reads it, in three eighths of the bytes or less.

Kernels (arrays of two axes and more) are rounded to 7 significant bits, to nearest even, one less
than bfloat16 has, in float32's form. The noise, at most 2⁻⁸ of each weight, has some twentieth of
the power of what int8 adds to the same weight later. More than half of every number is then zero,
which HDF5's byte shuffle and gzip store for nothing, and the exponents, much alike, for little:
four million values take less than 6 MB. Biases and normalisation keep all their bits; they are few,
and their errors add up over whole pictures.

What is stored is what counts: a training measures the weights it finds in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.files import scratch_folder
from edgekit.models import WEIGHTS

if TYPE_CHECKING:
    import h5py
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

_BITS = 7  # significant ones, of float32's 24
_CHUNK = 2**20  # values
_WORTH_PACKING = 256  # values; the index of a packed dataset takes a kilobyte


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights, whole or not at all; `model` itself is left as it is.

    Raises:
        OSError: The system refuses (disk full, read-only).
    """
    import h5py

    with scratch_folder(path) as scratch:
        plain = scratch / f"plain{WEIGHTS}"
        model.save_weights(plain)
        packed = scratch / path.name
        with h5py.File(plain, "r") as source, _compact_file(packed) as target:
            _repack(source, target)
        packed.replace(path)


def stored(values: Array) -> Array:
    """What `save_weights` makes of a weight: kernels rounded, everything else as it is."""
    return rounded(values) if values.ndim >= 2 and values.dtype == "float32" else values


def rounded(values: Array) -> Array:
    """float32 values rounded to 7 significant bits, halves to even; the same shape and dtype.

    A value that would round to infinity is cut to the largest that does not.
    """
    import numpy as np

    dropped = 24 - _BITS
    mask = np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    kept = bits + np.uint32((1 << dropped - 1) - 1) + (bits >> np.uint32(dropped) & np.uint32(1))
    short = (kept & mask).view(np.float32)
    down = (bits & mask).view(np.float32)
    short = np.where(np.isfinite(short), short, down)
    return np.where(np.isfinite(values), short, values).reshape(values.shape)


def _compact_file(path: Path) -> h5py.File:
    """A new HDF5 file in the newest layout, which has no kilobyte of index for each layer.

    That layout notes when each group was made, unless told not to, which `h5py.File` cannot: the
    same weights would be another file every second.
    """
    from h5py import File, h5f, h5p

    creation, access = h5p.create(h5p.FILE_CREATE), h5p.create(h5p.FILE_ACCESS)
    creation.set_obj_track_times(False)
    access.set_libver_bounds(h5f.LIBVER_LATEST, h5f.LIBVER_LATEST)
    return File(h5f.create(bytes(path), h5f.ACC_TRUNC, creation, access))


def _repack(source: h5py.Group, target: h5py.Group) -> None:
    from h5py import Group, h5g, h5p

    target.attrs.update(source.attrs)
    untimed = h5p.create(h5p.GROUP_CREATE)
    untimed.set_obj_track_times(False)
    for name, item in source.items():
        if isinstance(item, Group):
            _repack(item, Group(h5g.create(target.id, name.encode(), None, untimed)))
            continue
        values = stored(item[()])
        packed = target.create_dataset(name, data=values, track_times=False, **_packing(values))
        packed.attrs.update(item.attrs)


def _packing(values: Array) -> dict[str, Any]:
    if values.size < _WORTH_PACKING:
        return {}
    # gzip builds its code tables anew for each chunk, so small chunks cost a tenth.
    rows = max(1, _CHUNK // (values.size // len(values)))
    chunks = (min(rows, len(values)), *values.shape[1:])
    return {"shuffle": True, "compression": "gzip", "compression_opts": 6, "chunks": chunks}
