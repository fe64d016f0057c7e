"""tf.train.Example to one sample and back, by the feature names that TensorFlow's own tools write.

Pictures, texts and sounds with a class, pictures with boxes. Knows names and values; does not
decode a picture, and does not import TensorFlow: the message is declared here, for protobuf.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# For each thing the names it is found under, the one that is written first.
_PICTURE = ("image/encoded", "image")
_TEXT = ("text",)
_SOUND = ("audio", "audio/encoded")
_RATE = ("audio/rate", "audio/sample_rate", "rate", "sample_rate")
_CLASS = ("image/class/label", "label", "class/label")
_EDGES = tuple(f"image/object/bbox/{edge}" for edge in ("xmin", "ymin", "xmax", "ymax"))
_BOX_CLASS = "image/object/class/label"
_TFDS_BOXES, _TFDS_BOX_CLASS = "objects/bbox", "objects/label"  # ymin, xmin, ymax, xmax a box

KNOWN = (
    "edgekit reads image/encoded, text or audio with image/class/label or label, and "
    "image/object/bbox/xmin … ymax with image/object/class/label"
)
MOST_BOXES = 100_000

Fail = Callable[[str, str], DataError]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample as it is stored.

    Attributes:
        task: One of `edgekit.spec.TASKS`.
        content: The bytes of a picture file or of a WAV, or a text.
        label: Class, as numbered in the file; None where there is none, or where there are boxes.
        boxes: float32 [boxes, 5]: class, as numbered in the file, and left, top, right and bottom
            as parts (0–1) of the stored picture. None where samples have no boxes.
        classic: Whether boxes stand under the names of the Object Detection API, which numbers
            classes from 1.
    """

    task: str
    content: bytes | str
    label: int | None = None
    boxes: Array | None = None
    classic: bool = True


def parse(data: bytes, fail: Fail) -> Sample:
    """Read one record.

    Args:
        data: Of the record.
        fail: Makes the error, from what is wrong and what to try.

    Raises:
        DataError: Not a tf.train.Example, or none that holds a sample; made by `fail`.
    """
    from google.protobuf.message import DecodeError

    example = _message()()
    try:
        example.ParseFromString(data)
    except DecodeError:
        hint = "edgekit data convert writes TFRecords that it can read"
        raise fail("not a tf.train.Example", hint) from None
    features = _Features(example.features.feature, fail)
    if name := features.first(_PICTURE):
        boxes, classic = _boxes(features, fail)
        task = "image-classification" if boxes is None else "object-detection"
        label = _label(features) if boxes is None else None
        return Sample(task, features.content(name), label, boxes, classic)
    if name := features.first(_TEXT):
        try:
            text = features.content(name).decode()
        except UnicodeDecodeError:
            raise fail(f"{name} is no UTF-8", "write the text as UTF-8") from None
        return Sample("text-classification", text, _label(features))
    if name := features.first(_SOUND):
        return Sample("audio-classification", _sound(features, name, fail), _label(features))
    raise fail(f"no picture, text or sound in it; it has {features.listed()}", KNOWN)


def serialize(sample: Sample, classes: Sequence[str]) -> bytes:
    """One record, always the same bytes for the same sample.

    Args:
        sample: With classes numbered from 0; boxes are written as the Object Detection API numbers
            them, from 1.
        classes: Names, written beside the numbers of pictures.
    """
    example = _message()()
    feature = example.features.feature
    if sample.task == "text-classification":
        assert isinstance(sample.content, str)
        feature[_TEXT[0]].bytes_list.value.append(sample.content.encode())
    else:
        assert isinstance(sample.content, bytes)
        name = _SOUND[0] if sample.task == "audio-classification" else _PICTURE[0]
        feature[name].bytes_list.value.append(sample.content)
    if sample.task == "audio-classification":
        with wave.open(io.BytesIO(sample.content)) as sound:  # type: ignore[arg-type]
            feature[_RATE[0]].int64_list.value.append(sound.getframerate())
    elif sample.task != "text-classification":
        _describe_picture(feature, sample.content)  # type: ignore[arg-type]
    if sample.label is not None:
        picture = sample.task == "image-classification"
        feature[_CLASS[0] if picture else _CLASS[1]].int64_list.value.append(sample.label)
        if picture:
            feature["image/class/text"].bytes_list.value.append(classes[sample.label].encode())
    if sample.boxes is not None:
        for edge, values in zip(_EDGES, sample.boxes.T[1:], strict=True):
            feature[edge].float_list.value.extend(values.tolist())
        numbers = [int(value) for value in sample.boxes[:, 0]]
        feature[_BOX_CLASS].int64_list.value.extend(number + 1 for number in numbers)
        names = [classes[number].encode() for number in numbers]
        feature["image/object/class/text"].bytes_list.value.extend(names)
    data: bytes = example.SerializeToString(deterministic=True)
    return data


class _Features:
    """The features of one record by name; every complaint names the feature."""

    def __init__(self, features: Any, fail: Fail) -> None:
        self._features = features
        self._fail = fail

    def first(self, names: Sequence[str]) -> str:
        """The first of `names` that is there and not empty; "" for none."""
        found = (n for n in names if n in self._features and self._features[n].WhichOneof("kind"))
        return next(found, "")

    def has(self, name: str) -> bool:
        """Whether the feature is there, be it empty."""
        return name in self._features

    def values(self, name: str, *kinds: str) -> Sequence[Any]:
        """All values of a feature; none where it is absent."""
        if name not in self._features or not (kind := self._features[name].WhichOneof("kind")):
            return ()
        values: Sequence[Any] = getattr(self._features[name], kind).value
        if not values:
            return ()  # whatever it is a list of
        if kind.removesuffix("_list") not in kinds:
            wanted = " or ".join(kinds)
            problem = f"{name} holds {kind.removesuffix('_list')} values; expected {wanted}"
            raise self._fail(problem, KNOWN)
        return values

    def content(self, name: str) -> bytes:
        """The one value of a feature of bytes."""
        values = self.values(name, "bytes")
        if len(values) != 1:
            raise self._fail(f"{name} holds {len(values):,} values; expected one", KNOWN)
        content: bytes = values[0]
        return content

    def kind(self, name: str) -> str:
        """One of "bytes", "float" and "int64"."""
        return str(self._features[name].WhichOneof("kind")).removesuffix("_list")

    def integer(self, name: str) -> int:
        """The one value of a feature of integers."""
        values = self.values(name, "int64")
        if len(values) != 1:
            raise self._fail(f"{name} holds {len(values):,} values; expected one", KNOWN)
        return int(values[0])

    def listed(self) -> str:
        """Names and kinds, for a complaint."""
        from edgekit.fields import printable

        names = sorted(self._features)
        shown = [f"{printable(name[:60])} ({self.kind(name)})" for name in names[:8]]
        return ", ".join(shown + ["…"] * (len(names) > 8)) or "no features"


def _label(features: _Features) -> int | None:
    name = features.first(_CLASS)
    return features.integer(name) if name else None


def _boxes(features: _Features, fail: Fail) -> tuple[Array | None, bool]:
    import numpy as np

    # A picture without boxes has empty lists, or leaves the features out one by one.
    if any(features.has(name) for name in (*_EDGES, _BOX_CLASS)):
        columns = [features.values(edge, "float") for edge in _EDGES]
        classes = features.values(_BOX_CLASS, "int64")
        counts = [len(classes), *map(len, columns)]
        classic = True
    elif any(features.has(name) for name in (_TFDS_BOXES, _TFDS_BOX_CLASS)):
        values = features.values(_TFDS_BOXES, "float")
        classes = features.values(_TFDS_BOX_CLASS, "int64")
        columns = [values[1::4], values[0::4], values[3::4], values[2::4]]
        counts = [len(classes), *map(len, columns)]
        classic = False
    else:
        return None, True
    if len(set(counts)) != 1:
        problem = f"{counts[0]:,} classes of boxes and {', '.join(map(str, counts[1:]))} edges"
        raise fail(problem, "give every box xmin, ymin, xmax, ymax and a class")
    if counts[0] > MOST_BOXES:
        raise fail(f"{counts[0]:,} boxes", f"at most {MOST_BOXES:,} are accepted")
    boxes = np.empty((counts[0], 5), np.float32)
    for column, values in enumerate((classes, *columns)):
        boxes[:, column] = values
    if not np.isfinite(boxes).all():
        raise fail("an edge of a box is no finite number", "leave that box out")
    return boxes, classic


def _sound(features: _Features, name: str, fail: Fail) -> bytes:
    """WAV bytes; lists of numbers are 16-bit samples, or −1…1."""
    import numpy as np

    kind = features.kind(name)
    if kind == "bytes":
        return features.content(name)
    rate = features.first(_RATE)
    if not rate:
        raise fail(f"{name} is a list of numbers without a rate", f"write {_RATE[0]} in Hz")
    rate_hz = features.integer(rate)
    if not 0 < rate_hz <= 1_000_000:
        raise fail(f"{rate} is {rate_hz}", "write it in Hz")
    values = np.asarray(features.values(name, kind))
    if kind == "float":
        values = np.rint(values * 32767)
    if not (np.abs(values) <= 32768).all():
        raise fail(f"{name} goes beyond 16 bits", "write 16-bit samples, or floats in −1…1")
    stored = io.BytesIO()
    with wave.open(stored, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(values.clip(-32768, 32767).astype("<i2").tobytes())
    return stored.getvalue()


def _describe_picture(feature: Any, content: bytes) -> None:
    """What the Object Detection API expects beside a picture: format, height, width."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        form, (width, height) = str(image.format).lower(), image.size
    feature["image/format"].bytes_list.value.append(form.encode())
    feature["image/height"].int64_list.value.append(height)
    feature["image/width"].int64_list.value.append(width)


@cache
def _message() -> Any:
    """The class of tf.train.Example, in a pool of its own: TensorFlow's may be there as well."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="edgekit/example.proto", package="tensorflow", syntax="proto3"
    )

    def message(name: str) -> Any:
        return file.message_type.add(name=name)

    def field(owner: Any, name: str, number: int, kind: int, of: str = "", **more: Any) -> None:
        repeated = more.pop("repeated", False)
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        owner.field.add(
            name=name, number=number, type=kind, label=label, type_name=of or None, **more
        )

    lists = (("Bytes", kinds.TYPE_BYTES), ("Float", kinds.TYPE_FLOAT), ("Int64", kinds.TYPE_INT64))
    for name, kind in lists:
        field(message(f"{name}List"), "value", 1, kind, repeated=True)
    feature = message("Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, _) in enumerate(lists, 1):
        of = f".tensorflow.{name}List"
        field(feature, f"{name.lower()}_list", number, kinds.TYPE_MESSAGE, of, oneof_index=0)
    features = message("Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    field(entry, "key", 1, kinds.TYPE_STRING)
    field(entry, "value", 2, kinds.TYPE_MESSAGE, ".tensorflow.Feature")
    of = ".tensorflow.Features.FeatureEntry"
    field(features, "feature", 1, kinds.TYPE_MESSAGE, of, repeated=True)
    field(message("Example"), "features", 1, kinds.TYPE_MESSAGE, ".tensorflow.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
