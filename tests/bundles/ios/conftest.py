"""Swift bundles are built and run by a real compiler, in a root of `devices/swift-root.sh`."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.making import Order, make_bundle

LABELS = ("tflite-int8", "tflite-fp32", "tflite-int8-int8")
ORDER = Order("known-glyphs", "1.2.3", "ios", licence="Apache-2.0", choice={"phone": "tflite-fp32"})
SOURCES = Path(__file__).parent / "swift"

# Stand-ins first; then the package's modules with what those let them import, and the steps.
BUILD = r"""
library() {
  module=$1; shift
  swiftc -swift-version 5 -parse-as-library -I lib -I swift/litert/CLiteRT \
    -emit-module -emit-module-path lib/$module.swiftmodule -emit-library -static \
    -module-name $module -o lib/libSwift$module.a "$@"
}
mkdir -p lib
library CoreVideo swift/stubs/CoreVideo.swift
library LiteRT swift/litert/LiteRT.swift
library KnownGlyphsCore -warnings-as-errors -enable-testing bundle/Sources/KnownGlyphsCore/*.swift
swiftc -swift-version 5 -warnings-as-errors -module-name KnownGlyphs -o steps \
  -I lib -I swift/litert/CLiteRT -I swift/openssl/COpenSSL \
  bundle/Sources/KnownGlyphs/*.swift swift/main.swift \
  -L lib -lSwiftKnownGlyphsCore -lSwiftLiteRT -lSwiftCoreVideo -L . -lLiteRt -l:libcrypto.so.3 \
  -Xlinker -rpath -Xlinker /mnt
"""


@pytest.fixture(scope="session")
def swift():
    """Runs a shell line in the root, in a folder of this machine: `swift(folder, line, stdin)`."""
    place = os.environ.get("EDGEKIT_SWIFT_ROOT", "~/.cache/edgekit/swift")
    root = Path(place).expanduser()
    if not (root / "usr/bin/swiftc").is_symlink():
        pytest.skip(
            "no Swift here: devices/swift-root.sh makes a root of Debian with it (450 MB to "
            "download); EDGEKIT_SWIFT_ROOT says where it lies"
        )
    if os.geteuid() != 0:
        pytest.skip("the root with Swift is entered by chroot, which needs root")
    enter = (
        'mount --bind /proc "$1/proc" && mount --bind "$2" "$1/mnt" && '
        'exec chroot "$1" sh -c "cd /mnt && set -e; $3"'
    )

    def run(folder, line, given=b"", *, status=0):
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", enter, "-", str(root), str(folder), line],
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.returncode == status, (done.stdout + done.stderr).decode()
        return done.stdout if status == 0 else done.stderr

    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespaces here, by which the root with Swift sees a folder")
    return run


@pytest.fixture(scope="session")
def ios_artifacts(request):
    known = request.config.rootpath / "devices" / "known"
    return [Artifact.open(known / label) for label in LABELS]


@pytest.fixture(scope="session")
def ios_built(made_once, ios_artifacts, swift, keys):
    """bundle/ as it was made, and steps, which runs the steps of its Swift one by one."""

    def fill(folder):
        make_bundle(ios_artifacts, ORDER, folder / "bundle", key=keys / "mine.pem")
        shutil.copytree(SOURCES, folder / "swift")
        litert = pytest.importorskip("ai_edge_litert")
        shutil.copy(Path(litert.__file__).parent / "libLiteRt.so", folder)
        swift(folder, BUILD)

    return made_once("ios-built", fill)


@pytest.fixture(scope="session")
def steps(ios_built, swift):
    """What a step makes of each item: `steps(kind, files, items)`; files are put beside it."""

    def run(kind, files, items):
        sent = b"".join(struct.pack("<I", len(item)) + item for item in items)
        found = []
        with tempfile.TemporaryDirectory(dir=ios_built) as place:
            for name, content in files.items():
                (Path(place) / name).write_bytes(content)
            names = " ".join(f"{Path(place).name}/{name}" for name in files)
            rest = swift(ios_built, f"./steps {kind} {names}", sent)
        while rest:
            (size,) = struct.unpack("<I", rest[:4])
            found.append(rest[4 : 4 + size])
            rest = rest[4 + size :]
        return found

    return run
