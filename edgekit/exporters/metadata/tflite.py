"""TFLite metadata: a flatbuffer "M001" among a file's buffers, and files as a ZIP behind it.

The format is that of `metadata_schema.fbs` of TensorFlow Lite Support, written with the library
`flatbuffers`; numbers of fields are those of the schema. Associated files are stored and not
compressed, so that readers map them. An interpreter looks at neither.
"""

from __future__ import annotations

import io
import json
import re
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.recipe import PICTURE, SOUND, kind_of, normalization, picture_size
from edgekit.exporters import tflite_file
from edgekit.exporters.metadata.facts import LABELS, TOKENIZER, VOCABULARY, Facts
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    from edgekit.spec import InputSpec

NAME = b"TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PLAIN = re.compile(r"\w[\w.+ -]{0,200}")  # of others' files, which go on into ours
_DATED = (1980, 1, 1, 0, 0, 0)

# Numbers of enumerations and unions.
_FILE_TYPES = {LABELS: 2, VOCABULARY: 5, TOKENIZER: 0}
_RGB, _GRAYSCALE = 1, 2
_FEATURE, _IMAGE, _BOXES, _AUDIO = 1, 2, 3, 4
_BOUNDARIES, _RATIO = 1, 0
_NORMALIZATION = 1
# The first parser that knows them; "1.0.0" knows the rest.
_PARSERS = {"vocabulary": "1.0.1", "audio": "1.3.0"}


def with_metadata(content: bytes, facts: Facts) -> bytes:
    """The same model with its metadata, and its associated files behind it.

    Args:
        content: The file; metadata that it has is replaced, or kept where it came with `origin`.
        facts: What to say.
    """
    model = tflite_file.unpack(content)
    main = model.subgraphs[0]
    inputs, outputs = (
        tuple(tflite_file.describe(main.tensors[i]) for i in places)
        for places in (main.inputs, main.outputs)
    )
    kept = _kept(facts.origin, len(inputs), len(outputs)) if facts.origin else None
    metadata, files = kept or (_Writer(facts, inputs, outputs).finish(), _files(facts))
    _drop(model)
    _add(model, metadata)
    packed = tflite_file.pack(model)
    return packed + _zipped(files, len(packed)) if files else packed


def without_metadata(content: bytes) -> bytes:
    """A model that is written anew: files behind it would be lost, and what refers to them goes."""
    model = tflite_file.unpack(content)
    _drop(model)
    return tflite_file.pack(model)


def _drop(model: Any) -> None:
    """A buffer that is not the last stays, empty: the others keep their numbers."""
    left = []
    for entry in model.metadata or ():
        if entry.name != NAME:
            left.append(entry)
        elif entry.buffer == len(model.buffers) - 1:
            model.buffers.pop()
        else:
            model.buffers[entry.buffer].data = None
    model.metadata = left


def read(content: bytes) -> tuple[bytes | None, dict[str, bytes]]:
    """The metadata's flatbuffer and the associated files of a file; None and none without.

    Raises:
        ValueError: Damaged, or its files take more than the file itself, or leave a folder.
    """
    model = tflite_file.unpack(content)
    for entry in model.metadata or ():
        if entry.name == NAME:
            data = model.buffers[entry.buffer].data
            return (bytes(data) if data is not None else None), _unzipped(content)
    return None, {}


def _unzipped(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > len(content):
                raise ValueError("its associated files unpack to more than the file has")
            if not all(_PLAIN.fullmatch(entry.filename) for entry in entries):
                raise ValueError("its associated files have names that are none")
            return {entry.filename: archive.read(entry) for entry in entries}
    except zipfile.BadZipFile:
        return {}


def _kept(origin: Path, inputs: int, outputs: int) -> tuple[bytes, dict[str, bytes]] | None:
    """What the file that this one is made from says of the same inputs and outputs."""
    from flatbuffers.table import Table

    if origin.suffix != ".tflite":
        return None
    try:
        metadata, files = read(origin.read_bytes())
        if metadata is None or metadata[4:8] != _IDENTIFIER:
            return None
        root = Table(metadata, int.from_bytes(metadata[:4], "little"))
        graph = Table(metadata, root.Indirect(root.Vector(root.Offset(_at(3)))))
        told = [graph.VectorLen(graph.Offset(_at(number))) for number in (2, 3)]
    except Exception:  # others' bytes: whatever is wrong with them, edgekit's own words stand in
        return None
    return (metadata, files) if told == [inputs, outputs] else None


def _at(number: int) -> int:
    """Where a table's index says where the field of a number is."""
    return 4 + 2 * number


def _add(model: Any, metadata: bytes) -> None:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)


def _files(facts: Facts) -> dict[str, bytes]:
    files = {}
    if facts.labels:
        files[LABELS] = "".join(f"{name}\n" for name in facts.labels).encode()
    if facts.tokenizer is not None:
        told = json.loads(facts.tokenizer.read_bytes())
        files[TOKENIZER] = json.dumps(
            told, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode()
        pieces = sorted(told["model"]["vocab"].items(), key=lambda item: item[1])
        files[VOCABULARY] = "".join(f"{piece}\n" for piece, _ in pieces).encode()
    return files


def _zipped(files: Mapping[str, bytes], before: int) -> bytes:
    """A ZIP that stands behind `before` bytes and counts from the first of them."""
    whole = io.BytesIO()
    whole.write(bytes(before))
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATED)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return whole.getvalue()[before:]


class _Writer:
    """One `ModelMetadata`."""

    def __init__(
        self, facts: Facts, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
    ) -> None:
        import flatbuffers

        self._facts, self._inputs, self._outputs = facts, inputs, outputs
        self._builder = flatbuffers.Builder(1024)
        self._parser = "1.0.0"

    def finish(self) -> bytes:
        facts = self._facts
        inputs = [self._input(tensor, place) for place, tensor in enumerate(self._inputs)]
        outputs = [self._output(place) for place in range(len(self._outputs))]
        graph = self._table(10, {2: self._tables(inputs), 3: self._tables(outputs)})
        told = {
            0: self._text(facts.model),
            1: self._text(facts.summary),
            3: self._tables([graph]),
            5: self._text(facts.licence),
            7: self._text(self._parser),
        }
        self._builder.Finish(self._table(8, told), _IDENTIFIER)
        return bytes(self._builder.Output())

    def _input(self, tensor: TensorInfo, place: int) -> int:
        spec = self._facts.spec_of(tensor.name, place)
        told = {0: self._text(tensor.name)}
        if spec is None:
            return self._table(7, told)
        told[1] = self._text(self._facts.of_input(spec))
        kind = kind_of(spec)
        lows, highs = [spec.range[0]], [spec.range[1]]
        if kind == PICTURE:
            means, deviations = normalization(spec)
            options = self._table(2, {0: self._floats(means), 1: self._floats(deviations)})
            told[4] = self._tables([self._table(2, {1: options}, {0: _NORMALIZATION})])
            told[3] = self._content(_IMAGE, self._image(spec))
            pairs = spec.channel_ranges or (spec.range,)
            lows, highs = [low for low, _ in pairs], [high for _, high in pairs]
        elif kind == SOUND:
            told[3] = self._content(_AUDIO, self._table(2, {}, {}, {0: spec.rate_hz, 1: 1}))
            self._needs("audio")
        else:
            told[3] = self._content(_FEATURE, self._table(0, {}))
        told[5] = self._table(2, {0: self._floats(highs), 1: self._floats(lows)})
        if spec.tokenizer and self._facts.tokenizer is not None:
            files = (
                (VOCABULARY, "The pieces of the tokenizer, one a line; the number is the line's."),
                (TOKENIZER, "The tokenizer, for the library tokenizers."),
            )
            told[6] = self._tables([self._file(*file) for file in files])
            self._needs("vocabulary")
        return self._table(7, told)

    def _output(self, place: int) -> int:
        tensor = self._outputs[place]
        told = {
            0: self._text(tensor.name),
            1: self._text(self._facts.of_output(self._outputs, place)),
        }
        if self._facts.gives_boxes(self._outputs, place):
            sides = self._numbers(range(4))
            boxes = self._table(3, {0: sides}, {1: _BOUNDARIES, 2: _RATIO})
            told[3] = self._content(_BOXES, boxes)
        else:
            told[3] = self._content(_FEATURE, self._table(0, {}))
        if self._facts.names_classes(self._outputs, place):
            file = self._file(LABELS, "Names of the classes, in the order of the last axis.")
            told[6] = self._tables([file])
        return self._table(7, told)

    def _image(self, spec: InputSpec) -> int:
        height, width = picture_size(spec)
        size = self._table(2, {}, {}, {0: width, 1: height})
        return self._table(2, {1: size}, {0: _RGB if spec.channels == 3 else _GRAYSCALE})

    def _content(self, kind: int, properties: int) -> int:
        return self._table(3, {1: properties}, {0: kind})

    def _file(self, name: str, description: str) -> int:
        told = {0: self._text(name), 1: self._text(description)}
        return self._table(5, told, {2: _FILE_TYPES[name]})

    def _needs(self, feature: str) -> None:
        self._parser = max(self._parser, _PARSERS[feature])

    # -- the library's calls -----------------------------------------------------------------------

    def _text(self, text: str) -> int:
        return int(self._builder.CreateString(text)) if text else 0

    def _floats(self, values: Sequence[float]) -> int:
        import numpy as np

        return self._vector(np.asarray(values, np.float32))

    def _numbers(self, values: Sequence[int]) -> int:
        import numpy as np

        return self._vector(np.asarray(values, np.uint32))

    def _vector(self, values: np.ndarray[Any, Any]) -> int:
        return int(self._builder.CreateNumpyVector(values))

    def _tables(self, places: Sequence[int]) -> int:
        self._builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            self._builder.PrependUOffsetTRelative(place)
        return int(self._builder.EndVector())

    def _table(
        self,
        fields: int,
        places: Mapping[int, int],
        small: Mapping[int, int] | None = None,
        wide: Mapping[int, int] | None = None,
    ) -> int:
        """A table of so many fields: number → place of what is written, → byte, → 32-bit number."""
        builder = self._builder
        builder.StartObject(fields)
        for number, place in sorted(places.items()):
            builder.PrependUOffsetTRelativeSlot(number, place, 0)
        for number, value in sorted((wide or {}).items()):
            builder.PrependUint32Slot(number, value, 0)
        for number, value in sorted((small or {}).items()):
            builder.PrependInt8Slot(number, value, 0)
        return int(builder.EndObject())
