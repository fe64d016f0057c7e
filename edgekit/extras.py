"""The optional packages: what each enables, and the command that adds it.

One table for `edgekit doctor` and for the error a missing package gives. Imports none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import MissingExtraError


@dataclass(frozen=True, slots=True)
class Package:
    """An optional package.

    Attributes:
        distribution: Name on the package index.
        module: Name of the import.
        extra: The smallest edgekit extra that brings it.
        purpose: What it enables.
    """

    distribution: str
    module: str
    extra: str
    purpose: str


PACKAGES = (
    Package("tensorflow", "tensorflow", "export", "building, training and converting Keras models"),
    Package("keras", "keras", "export", "reading .keras and .h5 files"),
    Package("matplotlib", "matplotlib", "data", "the fonts of glyphs, charts of reports"),
    Package("jinja2", "jinja2", "report", "pages of edgekit report"),
    Package("pillow", "PIL", "data", "drawing glyphs, reading image folders"),
    Package("defusedxml", "defusedxml", "data", "reading Pascal VOC annotations"),
    Package("pyyaml", "yaml", "data", "reading the data.yaml of YOLO folders"),
    Package("google-crc32c", "google_crc32c", "data", "reading and writing TFRecords"),
    Package("gymnasium", "gymnasium", "control", "environments for policies"),
    Package("ai-edge-litert", "ai_edge_litert", "litert", "running TFLite artifacts"),
    Package("onnxruntime", "onnxruntime", "onnxruntime", "running ONNX artifacts"),
    Package("openvino", "openvino", "openvino-runtime", "running OpenVINO artifacts"),
    Package("ethos-u-vela", "ethosu", "ethos-u", "estimates for Arm Ethos-U NPUs"),
    Package("tflite-micro", "tflite_micro", "microcontroller", "microcontrollers' interpreter"),
    Package("onnx", "onnx", "onnx", "export to ONNX"),
    Package("tf2onnx", "tf2onnx", "onnx", "export to ONNX"),
    Package("nncf", "nncf", "openvino", "int8 export to OpenVINO"),
    Package("segno", "segno", "web", "QR codes of links for phones"),
    Package("pyarrow", "pyarrow", "parquet", "exporting measurements as Parquet"),
    Package("mlflow-skinny", "mlflow", "mlflow", "logging measurements to MLflow"),
    Package("motmetrics", "motmetrics", "track", "MOTA and IDF1 of tracks"),
    Package("asyncssh", "asyncssh", "ssh", "reaching boards over SSH"),
    Package("coremltools", "coremltools", "coreml", "Core ML in bundles for iOS"),
    Package("model-signing", "model_signing", "bundle", "signatures of bundles"),
    Package("pyopenssl", "OpenSSL", "bundle", "signatures of bundles"),
    Package("cyclonedx-python-lib", "cyclonedx", "bundle", "bills of materials of bundles"),
    Package("bsdiff4", "bsdiff4", "bundle", "deltas between bundles"),
    Package("tflite-runtime", "tflite_runtime", "legacy", "running TFLite artifacts on old boards"),
)


def owner_of(module: str) -> Package | None:
    """The optional package that `module`, or the package it lies in, belongs to."""
    top = module.partition(".")[0]
    return next((package for package in PACKAGES if package.module == top), None)


def missing(package: Package) -> MissingExtraError:
    """The error to raise when `package` is needed and absent."""
    return MissingExtraError(package.distribution, package.extra, package.purpose)
