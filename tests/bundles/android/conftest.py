"""Kotlin of an Android bundle, compiled once a run; its steps are asked one by one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.making import Order, make_bundle

HERE = Path(__file__).parent
KOTLIN = Path(__file__).resolve().parents[3] / "build" / "kotlin"
COMPILER = KOTLIN / "node_modules" / "kotlin-compiler" / "lib"
ONNXRUNTIME = KOTLIN / "onnxruntime.jar"
JUNIT = Path("/usr/share/java/junit4.jar")
EQUIP = "python tests/bundles/android/equip.py"
LABELS = ("tflite-int8", "onnx-int8", "tflite-int8-int8", "onnx-fp32")
# Short-lived: the second compiler of Java, and its other collectors, cost more than they bring.
JAVA = ("java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class RefusedError(Exception):
    """What the Kotlin threw."""


class Steps:
    """A process that does one step of a bundle after the other: see `Steps.kt`."""

    def __init__(self, classpath):
        interpreter = f"-Dinterpreter={sys.executable}\n{HERE / 'interpreter.py'}"
        self._process = subprocess.Popen(
            ["java", "-Xmx1g", "-XX:+UseSerialGC", interpreter, "-cp", classpath,
             "edgekit.known_glyphs.StepsKt"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __call__(self, step, *frames):
        given = [one.encode() if isinstance(one, str) else bytes(one) for one in frames]
        write = self._process.stdin.write
        write(_framed(step.encode()) + struct.pack(">i", len(given)))
        for one in given:
            write(_framed(one))
        self._process.stdin.flush()
        count = self._number()
        found = [self._process.stdout.read(self._number()) for _ in range(abs(count))]
        if count < 0:
            raise RefusedError(found[0].decode())
        return found

    def _number(self):
        return struct.unpack(">i", self._process.stdout.read(4))[0]

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _framed(frame):
    return struct.pack(">i", len(frame)) + frame


def _run(*words):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _compile(out, classpath, *sources):
    _run(
        *JAVA, "-cp", f"{COMPILER}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
        "-kotlin-home", COMPILER.parent, "-no-reflect", "-jvm-target", "17", "-Werror",
        "-cp", os.pathsep.join(map(str, classpath)), "-d", out, *sources,
    )  # fmt: skip


@pytest.fixture(scope="session")
def android_order():
    return Order(
        "known-glyphs", "1.2.3", "android", licence="Apache-2.0", choice={"pixel-8": "onnx-int8"}
    )


@pytest.fixture(scope="session")
def android_artifacts(request):
    known = request.config.rootpath / "devices" / "known"
    return [Artifact.open(known / label) for label in LABELS]


@pytest.fixture(scope="session")
def android_once(android_artifacts, android_order, keys, tmp_path_factory):
    out = tmp_path_factory.mktemp("android") / "bundle"
    make_bundle(android_artifacts, android_order, out, key=keys / "mine.pem")
    return out


@pytest.fixture
def android_bundle(android_once, tmp_path):
    """A signed bundle of one's own, to be broken."""
    return shutil.copytree(android_once, tmp_path / "bundle")


@pytest.fixture(scope="session")
def compiled(made_once, android_once):
    """Classes of a bundle's library with its tests, and of its sample, as a class path."""
    if not (COMPILER / "kotlin-compiler.jar").is_file() or shutil.which("javac") is None:
        pytest.skip(f"no Kotlin or JDK here: apt-get install default-jdk-headless npm; {EQUIP}")
    if not JUNIT.is_file():
        pytest.skip("no JUnit here: apt-get install junit4")
    has_onnxruntime = ONNXRUNTIME.is_file()
    stubs = [HERE / "stubs", *([] if has_onnxruntime else [HERE / "stubs_onnxruntime"])]
    java = [file for folder in stubs for file in folder.rglob("*.java")]
    junit = [JUNIT, JUNIT.with_name("hamcrest.jar")]
    libraries = [COMPILER / "kotlin-stdlib.jar", *junit, *([ONNXRUNTIME] * has_onnxruntime)]

    def fill(folder):
        made, sources = folder / "stubs", android_once / "library" / "src"
        _run("javac", "-proc:none", "-cp", JUNIT, "-d", made, *java)
        _compile(
            folder / "library", [made, *libraries],
            *(sources / name / "kotlin" for name in ("main", "test", "androidTest")),
            HERE / "Steps.kt",
        )  # fmt: skip
        _compile(
            folder / "sample", [made, folder / "library", *libraries],
            android_once / "sample" / "src" / "main" / "kotlin",
        )  # fmt: skip

    place = made_once("kotlin", fill)
    return os.pathsep.join(map(str, [place / "library", place / "stubs", *libraries]))


@pytest.fixture(scope="session")
def steps(compiled):
    """Does a step in Kotlin: `steps("picture", contract's input, png, …)` gives bytes of each."""
    asked = Steps(compiled)
    yield asked
    asked.close()


@pytest.fixture(scope="session")
def onnxruntime_jar():
    if not ONNXRUNTIME.is_file():
        pytest.skip(f"no ONNX Runtime for the JVM here: {EQUIP}")
    return ONNXRUNTIME


@pytest.fixture(scope="session")
def litert():
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("no LiteRT here: pip install ai-edge-litert")
