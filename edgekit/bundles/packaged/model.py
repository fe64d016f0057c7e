"""The whole way of a sample: preprocessing, the file's own numbers, the model, and the answer.

Every step is the contract's, by the code that made the model. Verifies the files it loads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.bundles.answers import answer_of
from edgekit.bundles.contents import CONTRACT, GOLDEN, LABELS, TOKENIZER, Contents, read_contents
from edgekit.bundles.packaged.runtimes import load
from edgekit.errors import ArtifactError, DataError
from edgekit.files import sha256_file
from edgekit.tensor import TensorInfo, dequantize, quantize

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Found:
    """A class or an object that the model sees.

    Attributes:
        label: Its name; the number as text where there are no labels.
        score: 0–1 after softmax or sigmoid; else as the model gives it.
        number: Of the class.
        box: Of an object: left, top, right and bottom in pixels of the picture; None of a class.
    """

    label: str
    score: float
    number: int
    box: tuple[float, float, float, float] | None = None


class Model:
    """The model, loaded.

    Args:
        device: Class of device, to choose an artifact by what was measured for it.
        artifact: Label of an artifact, to choose it by name: "tflite-int8".
        threads: Threads a runtime may compute with.
        data: Where the bundle's files lie; the package's own by default.

    Raises:
        ArtifactError: No such artifact, or a file that is not what the bundle says.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        artifact: str | None = None,
        threads: int = 1,
        data: Path = _DATA,
    ) -> None:
        self._data = data
        self.contents: Contents = read_contents(data)
        held = {one.label: one for one in self.contents.artifacts}
        label = artifact or self.contents.choice.get(device or "") or next(iter(held))
        if label not in held:
            raise ArtifactError(f"no artifact {label!r}", hint=f"one of: {', '.join(held)}")
        self.artifact = held[label]
        self._contract: dict[str, Any] = json.loads(self._read(CONTRACT).decode())
        tensors = self._contract["artifacts"][label]
        self._inputs = [TensorInfo.from_json(one, ArtifactError) for one in tensors["inputs"]]
        self._outputs = [TensorInfo.from_json(one, ArtifactError) for one in tensors["outputs"]]
        files = self.contents.files
        self.labels = tuple(self._read(LABELS).decode().splitlines()) if LABELS in files else ()
        # A model may lie in several files of one name: each is verified.
        stem = Path(self.artifact.file).with_suffix("").as_posix()
        for name in files:
            if Path(name).with_suffix("").as_posix() == stem:
                self._verified(name)
        names = [tensor.name for tensor in self._outputs]
        self._model = load(self.artifact.target, data / self.artifact.file, threads, names)

    def predict(self, sample: Any) -> list[Found]:
        """What the model sees in a sample, best first.

        Args:
            sample: Of a model for pictures: the path of a file, or uint8 [height, width, 3], RGB,
                as a camera gives it. For text: a str. For sound: the path of a WAV file, or
                float32 [length] in −1…1 at the contract's rate. Otherwise an array of the input's
                shape, or a mapping of one for each input.
        """
        given, fit = self._sample(sample)
        answer = answer_of(self._contract["answer"], self.run(given))
        boxes = answer.get("boxes", [None] * len(answer.get("scores", ())))
        return [
            Found(
                label=self.labels[number] if self.labels else str(number),
                score=score,
                number=number,
                box=None if box is None else _in_pixels(box, fit),
            )
            for number, score, box in zip(
                answer.get("classes", ()), answer.get("scores", ()), boxes, strict=True
            )
        ]

    def run(self, sample: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, in real values and without batch axis, of a sample in the model's units.

        Args:
            sample: Input name → array of the contract's shape and dtype.
        """
        fed = {one.name: _taken(sample[one.name], one)[None] for one in self._inputs}
        given = self._model(fed)
        return {
            one.name: _real(array[0], one) for one, array in zip(self._outputs, given, strict=True)
        }

    def check(self) -> int:
        """Prove this installation with the golden cases.

        Returns:
            How many cases hold.

        Raises:
            ArtifactError: A step gives something else: the first is named.
        """
        from edgekit.bundles.packaged.golden import check_cases

        document = json.loads(self._read(f"{GOLDEN}/cases.json").decode())
        return check_cases(self, document)

    # -- steps -------------------------------------------------------------------------------------

    def prepare(self, sample: Any) -> dict[str, Array]:
        """A sample in the model's own units, by input name: what `predict` does first."""
        return self._sample(sample)[0]

    def _sample(self, sample: Any) -> tuple[dict[str, Array], Any]:

        specs = self._contract["inputs"]
        if isinstance(sample, Mapping):
            return {spec["name"]: _given(sample, spec) for spec in specs}, None
        if len(specs) > 1:
            raise DataError(f"the model takes {len(specs)} inputs: give a mapping of arrays")
        (spec,) = specs
        if spec["kind"] == "picture":
            from edgekit.bundles.packaged.pictures import prepare

            array, fit = prepare(sample, spec)
            return {spec["name"]: array}, fit
        if spec["kind"] == "text":
            if not isinstance(sample, str):
                raise DataError(f"a text is a str, not {type(sample).__name__}")
            return {spec["name"]: self._tokens(sample, spec)}, None
        if spec["kind"] == "sound":
            return {spec["name"]: _sound(sample, spec)}, None
        return {spec["name"]: _given({spec["name"]: sample}, spec)}, None

    def _tokens(self, text: str, spec: Mapping[str, Any]) -> Array:
        from edgekit import tokenizing

        place = self._verified(TOKENIZER) if tokenizing.has_file(spec["tokenizer"]) else None
        tokens = tokenizing.encode_by(spec["tokenizer"], place, [text], spec["length"])
        array: Array = tokens[0].astype(spec["dtype"])
        return array

    def _verified(self, name: str) -> Path:
        """A file that is what the bundle says."""
        place = self._data / name
        entry = self.contents.files.get(name)
        if entry is None or not place.is_file() or sha256_file(place) != entry.sha256:
            raise ArtifactError(f"{place}: not what the bundle says", hint="install it again")
        return place

    def _read(self, name: str) -> bytes:
        return self._verified(name).read_bytes()

    def golden(self, entry: Mapping[str, Any]) -> Array:
        """An array of a golden case."""
        import numpy as np

        kind = np.dtype(entry["dtype"]).newbyteorder("<")
        array = np.frombuffer(self._read(entry["file"]), kind).reshape(entry["shape"])
        return array.astype(entry["dtype"])

    def place(self, name: str) -> Path:
        """A verified file of the bundle, by its path there."""
        return self._verified(name)


def _given(sample: Mapping[str, Any], spec: Mapping[str, Any]) -> Array:
    """An array that somebody made, as an input takes it.

    Raises:
        DataError: None for the input, or one of another shape or kind.
    """
    import numpy as np

    name, shape = spec["name"], tuple(spec["shape"])
    if name not in sample:
        raise DataError(f"no array for the input {name!r}", hint=f"{{{name!r}: array}}")
    try:
        array = np.asarray(sample[name])
    except ValueError as error:
        raise DataError(f"{name}: no array: {error}") from error
    if array.shape != shape or array.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: {array.dtype} {list(array.shape)}, not {spec['dtype']} {list(shape)}",
            hint="predict() of a picture, text or sound makes it",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{name}: not all of its numbers are finite")
    return array


def _sound(sample: Any, spec: Mapping[str, Any]) -> Array:
    import numpy as np

    from edgekit.datasets.wav import read_wav

    length = spec["length"]
    if isinstance(sample, str | Path):
        sound = read_wav(Path(sample), length, spec["rate_hz"])
    else:
        wave = np.asarray(sample, np.float32).reshape(-1)[:length]
        sound = np.zeros(length, np.float32)
        sound[: len(wave)] = wave
    low, high = spec["range"]
    if (low, high) != (-1.0, 1.0):
        sound = low + (sound + 1) * ((high - low) / 2)
    array: Array = sound.astype(spec["dtype"])
    return array


def _taken(array: Array, tensor: TensorInfo) -> Array:
    """A sample in the model's units as the file takes it."""
    import numpy as np

    unit_grid = tensor.scale == 1.0 and tensor.zero_point == 0
    if str(array.dtype) == tensor.dtype and (tensor.scale is None or unit_grid):
        return array
    if tensor.scale is not None and tensor.zero_point is not None:
        return quantize(
            np.asarray(array, np.float32), tensor.scale, tensor.zero_point, tensor.dtype
        )
    return array.astype(tensor.dtype)


def _real(array: Array, tensor: TensorInfo) -> Array:
    if tensor.scale is None or array.dtype.kind not in "iu":
        return array
    return dequantize(array, tensor.scale, tensor.zero_point or 0)


def _in_pixels(box: Sequence[float], fit: Any) -> tuple[float, float, float, float]:
    """From parts of the input to pixels of the picture, cut to it."""
    import numpy as np

    if fit is None:
        left, top, right, bottom = box
        return left, top, right, bottom
    place, (width, height) = fit
    cut = np.clip(place.to_picture(np.asarray(box, np.float64)), 0.0, 1.0)
    left, top, right, bottom = (cut * [width, height, width, height]).tolist()
    return left, top, right, bottom
