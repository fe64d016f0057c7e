from __future__ import annotations

import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.bundles.making import Order, make_bundle


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Two pairs of keys: mine.pem, mine.pub, theirs.pem, theirs.pub."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / f"{name}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return folder


@pytest.fixture(scope="session")
def artifacts(request):
    """The two int8 artifacts of a small network whose answers are known, for two runtimes."""
    from edgekit.artifact import Artifact

    known = request.config.rootpath / "devices" / "known"
    return [Artifact.open(known / label) for label in ("tflite-int8", "onnx-int8")]


@pytest.fixture(scope="session")
def signed_once(artifacts, keys, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "signed"
    order = Order("known", "1.2.3", "python", task="classification", licence="Apache-2.0")
    make_bundle(artifacts, order, out, key=keys / "mine.pem")
    return out


@pytest.fixture
def bundle(signed_once, tmp_path):
    """A signed bundle of one's own, to be broken."""
    return shutil.copytree(signed_once, tmp_path / "bundle")
