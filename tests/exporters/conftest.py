"""Conversions of the small Keras models, each made once per run and shared by all tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgekit import registry
from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError
from edgekit.exporters.base import KERAS, Conversion, FileGraph
from edgekit.exporters.tracing import Trace
from edgekit.exporters.worker import ENTRY, Preparation
from edgekit.feeding import run_samples
from edgekit.golden import proof_inputs
from edgekit.job import Job
from edgekit.models import resolve_model
from edgekit.process import Child
from edgekit.samples import read_samples, write_samples
from edgekit.tokenizing import train_wordpiece
from edgekit.transports.local import LocalTransport
from tests.exporters.describing import KNOWN


@dataclass(frozen=True)
class Converted:
    """A converted file: where it lies and what is in it."""

    folder: Path
    graph: FileGraph


class Workshop:
    """Traces models and converts them, in one TensorFlow process per worker."""

    def __init__(self, models, made_once):
        self.models = models
        self.made_once = made_once
        self.child = None

    def ask(self, request):
        if self.child is None:
            self.child = Child(ENTRY, environment={"PYTHONHASHSEED": "0"})
        return self.child.call(request)

    def trace(self, name) -> Trace:
        def fill(folder):
            source = resolve_model(str(self.models / f"{name}.keras"))
            preparation = Preparation(source.to_json(), None, None, folder / "trace").to_json()
            self.ask({"do": "prepare", **preparation})
            trace = Trace.read(folder / "trace")
            specs = trace.inputs
            drawn = {spec.name: calibration(spec) for spec in specs}
            write_samples(folder / "inputs", drawn)
            self.ask(
                {
                    "do": "reference",
                    "inputs": str(write_samples(folder / "proof", proof_inputs(specs, drawn))),
                    "outputs": str(folder / "reference"),
                    "names": [spec.name for spec in specs],
                    "output_names": list(trace.outputs),
                    "preparation": preparation,
                }
            )

        return Trace.read(self.made_once(f"traced-{name}", fill) / "trace")

    def convert(self, name, target, precision="fp32", io="native") -> Converted:
        trace = self.trace(name)
        exporter = registry.load(registry.EXPORTERS, target)()
        source = exporter.source(precision)
        before = None if source == KERAS else self.convert(name, *source.split("-"))
        start = before.folder if before else trace.folder

        def fill(folder):
            (folder / "file").mkdir()
            conversion = Conversion(
                precision, io, start, folder / "file", trace.inputs, trace.folder.parent
            )
            request = {"do": "convert", "target": target, "conversion": conversion.to_json()}
            graph = self.ask(request)["graph"]
            (folder / "graph.json").write_text(json.dumps(graph))

        folder = self.made_once(f"converted-{name}-{target}-{precision}-{io}", fill)
        graph = FileGraph.from_json(json.loads((folder / "graph.json").read_text()))
        return Converted(folder / "file", graph)

    def outputs(self, name, target, precision="fp32", io="native"):
        """What the file gives for the proof inputs, and what Keras gave: two lists of arrays."""
        made = self.convert(name, target, precision, io)
        trace = self.trace(name)
        exporter = registry.load(registry.EXPORTERS, target)()
        place = trace.folder.parent
        job = Job(
            action="run",
            runtime=exporter.runtime,
            model=str(made.folder / exporter.model_file),
        )
        proof = place / "proof.npy"

        def fill(folder):
            outputs, _ = run_samples(
                LocalTransport(),
                job,
                inputs=made.graph.inputs,
                outputs=made.graph.outputs,
                samples=proof if proof.is_file() else place / "proof",
                scratch=folder,
            )
            write_samples(folder / "real", dict(zip(trace.outputs, outputs, strict=True)))

        ran = self.made_once(f"ran-{name}-{target}-{precision}-{io}", fill)
        return self.read(ran / "real", trace), self.read(place / "reference", trace)

    @staticmethod
    def read(place, trace):
        single = place.with_suffix(".npy")
        found = read_samples(single if single.is_file() else place, trace.outputs)
        return list(found.values())


def calibration(spec, count=32):
    random = np.random.default_rng(9)
    low, high = spec.range
    if spec.dtype == "uint8":
        high = 100  # dark pictures only: the range of bytes must not follow from them
    return random.uniform(low, high, (count, *spec.shape)).astype(spec.dtype)


@pytest.fixture(scope="session")
def workshop(keras_models, made_once):
    shop = Workshop(keras_models, made_once)
    yield shop
    if shop.child is not None:
        shop.child.kill()
        shop.child.close()


@pytest.fixture
def failure():
    """Run a function that must be refused, and return the refusal."""

    def run(function, *arguments) -> EdgekitError:
        with pytest.raises(EdgekitError) as caught:
            function(*arguments)
        return caught.value

    return run


# -- metadata -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def known(request):
    folder = request.config.rootpath / "devices" / "known"
    return {label: Artifact.open(folder / label) for label in KNOWN}


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    file.write_bytes(train_wordpiece(["the cat sat on the mat", "a dog ate the cat's food"], 60))
    return file


@pytest.fixture(scope="session")
def packages_beside(request):
    """Install packages that edgekit doesn't need into a folder of pytest's cache, and run with
    them: (name, *packages) → (script, *arguments) → lines."""

    def install(name, *packages):
        place = request.config.cache.mkdir(name) / "packages"
        if not place.is_dir():
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", part]
            done = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:]
                pytest.skip(
                    f"pip install --no-deps {' '.join(packages)} failed; is there a network, and a "
                    f"wheel for this Python? {reason}"
                )
            part.replace(place)

        def run(script, *arguments):
            done = subprocess.run(
                [sys.executable, "-c", script, *map(str, arguments)],
                env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        return run

    return install
