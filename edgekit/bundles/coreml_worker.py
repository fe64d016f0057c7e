"""From a traced model to a package of Core ML's, by coremltools; runs in a child process.

The same trace gives the same bytes: no date, identifiers from the content. What was written is
read again and must take and give what the model does. Runs no model.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import ConversionError
from edgekit.exporters.tracing import Trace
from edgekit.exporters.worker import Worker
from edgekit.files import canonical_json, sha256_file
from edgekit.process import Handler
from edgekit.spec import InputSpec

# The oldest iOS that the bundle's package builds for.
_LEAST = "iOS15"
_NAMESPACE = uuid.UUID("5e7b7c56-6c5d-4b0e-8a3e-0f6d3f5f8a01")  # drawn once
_MODEL = "com.apple.CoreML/model.mlmodel"
_DATE = "com.github.apple.coremltools.conversion_date"


def handler() -> Handler:
    """For `edgekit.process`: the requests of `exporters.worker`, and {"do": "core-ml", …}."""
    return CoreMlWorker()


class CoreMlWorker(Worker):
    """Converts what it prepared."""

    def steps(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {**super().steps(), "core-ml": _convert}


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    tools = _library()
    trace, package = Trace.read(Path(request["trace"])), Path(request["package"])
    try:
        _write(tools, trace, package)
    except Exception as error:  # it raises anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConversionError(
            f"coremltools does not convert the model: {(lines or [type(error).__name__])[0][:300]}",
            hint="leave --core-ml out: the bundle's other artifacts don't need it",
        ) from error
    _settle(tools, package)
    inputs, outputs = _ports(tools, package)
    _check(trace, inputs, outputs)
    return {"inputs": inputs, "outputs": outputs, "tools": _versions()}


def _write(tools: Any, trace: Trace, package: Path) -> None:
    model = tools.convert(
        [_function(trace)],
        source="tensorflow",
        inputs=[_input(tools, spec) for spec in trace.inputs],
        convert_to="mlprogram",
        minimum_deployment_target=getattr(tools.target, _LEAST),
        compute_precision=tools.precision.FLOAT32,
        skip_model_load=True,
    )
    document = model.get_spec()
    # It names outputs as the graph does, the contract as the model does; by way of names that
    # neither has, since one may have the other's.
    for at, tensor in enumerate(trace.output_tensors):
        tools.utils.rename_feature(document, tensor.partition(":")[0], f"edgekit_output_{at}")
    for at, name in enumerate(trace.outputs):
        tools.utils.rename_feature(document, f"edgekit_output_{at}", name)
    document.description.metadata.userDefined.pop(_DATE, None)
    tools.models.MLModel(document, weights_dir=model.weights_dir, skip_model_load=True).save(
        str(package)
    )


def _function(trace: Trace) -> Any:
    """The frozen graph as the concrete function that coremltools reads."""
    import tensorflow as tf

    graph = trace.float_graph_def()
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    element = wrapped.graph.as_graph_element
    return wrapped.prune(
        [element(f"{spec.name}:0") for spec in trace.inputs],
        [element(tensor) for tensor in trace.output_tensors],
    )


def _input(tools: Any, spec: InputSpec) -> Any:
    import numpy as np

    shape = (1, *spec.shape)
    if _is_picture(spec):
        return tools.ImageType(name=spec.name, shape=shape, color_layout=tools.colorlayout.RGB)
    whole = spec.dtype in ("int32", "int64")
    return tools.TensorType(name=spec.name, shape=shape, dtype=np.int32 if whole else np.float32)


def _is_picture(spec: InputSpec) -> bool:
    """Whether a sample is a picture as it is: levels of three channels."""
    plain = spec.dtype == "uint8" and spec.range == (0.0, 255.0) and not spec.channel_ranges
    return plain and spec.layout == "HWC" and spec.channels == 3


def _settle(tools: Any, package: Path) -> None:
    """Write anew what would differ from run to run: the order of maps, and random identifiers."""
    file = package / "Data" / _MODEL
    document = tools.utils.load_spec(str(file))
    file.write_bytes(document.SerializeToString(deterministic=True))
    file.chmod(0o644)
    listing = package / "Manifest.json"
    told = json.loads(listing.read_text(encoding="utf-8"))
    entries = {}
    for entry in told["itemInfoEntries"].values():
        place = package / "Data" / entry["path"]
        files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
        digests = " ".join(sha256_file(one) for one in files)
        entries[str(uuid.uuid5(_NAMESPACE, f"{entry['path']} {digests}"))] = entry
    (root,) = (name for name, entry in entries.items() if entry["path"] == _MODEL)
    told |= {"itemInfoEntries": entries, "rootModelIdentifier": root}
    listing.write_text(canonical_json(told), encoding="utf-8")


def _ports(tools: Any, package: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a package takes and gives, as it says itself."""
    description = tools.utils.load_spec(str(package)).description
    return tuple(  # type: ignore[return-value]
        [_port(tools, one) for one in side] for side in (description.input, description.output)
    )


def _port(tools: Any, feature: Any) -> dict[str, Any]:
    kind = feature.type.WhichOneof("Type")
    if kind == "imageType":
        image = feature.type.imageType
        return {"name": feature.name, "dtype": "uint8", "shape": [1, image.height, image.width, 3]}
    array = feature.type.multiArrayType
    names = {v: k for k, v in tools.proto.FeatureTypes_pb2.ArrayFeatureType.ArrayDataType.items()}
    return {
        "name": feature.name,
        "dtype": names[array.dataType].lower(),
        "shape": [int(size) for size in array.shape],
    }


def _check(trace: Trace, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
    wanted = [(spec.name, [1, *spec.shape]) for spec in trace.inputs]
    given = [
        (name, list(shape)) for name, shape in zip(trace.outputs, trace.output_shapes, strict=True)
    ]
    for found, said in ((inputs, wanted), (outputs, given)):
        if sorted((one["name"], one["shape"]) for one in found) != sorted(said):
            raise ConversionError(
                f"coremltools wrote {found}, where the model has {said}",
                hint="leave --core-ml out",
            )


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("coremltools", "keras", "numpy", "tensorflow")}


def _library() -> Any:
    import coremltools
    from coremltools.converters.mil import Builder, register_tf_op

    def erfc(context: Any, node: Any) -> None:
        """Of `erf`, which it knows: 1 - erf(x)."""
        found = Builder.erf(x=context[node.inputs[0]])
        context.add(node.name, Builder.sub(x=1.0, y=found, name=node.name))

    register_tf_op(erfc, tf_alias=["Erfc"], override=True)
    return coremltools
