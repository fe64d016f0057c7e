"""Sign a bundle and check who did, in the format of the OpenSSF Model Signing specification (OMS).

The signature lies in the bundle as `bundle.sig`, a Sigstore bundle with a DSSE envelope around the
digest of every other file, git's included. It is made with an elliptic-curve key, or by Sigstore
without one (`keyless`), by the library `model-signing`; its command line verifies it, too. Reads no
file of the bundle itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundles.contents import SIGNATURE
from edgekit.bundles.keyless import KEYLESS, Identity, check_keyless, sign_keyless
from edgekit.errors import ArtifactError, EdgekitError, FileError, UsageError
from edgekit.extras import missing, owner_of

_MOST_KEY_BYTES = 64 * 1024
_MOST_SIGNATURE_BYTES = 4 * 1024**2
# No name that somebody's own key may have: what is pasted overwrites.
_MAKE_KEY = (
    "a new pair: openssl ecparam -name prime256v1 -genkey -noout -out NEW-KEY.pem; "
    "openssl ec -in NEW-KEY.pem -pubout -out NEW-KEY.pub"
)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that was checked.

    Attributes:
        by: The public key's file, or who signed by Sigstore.
        fingerprint: sha256 of the public key (SubjectPublicKeyInfo, DER), in hex; "" by Sigstore,
            where a key is used once.
    """

    by: Path | Identity
    fingerprint: str = ""

    def __str__(self) -> str:
        return f"by {self.by}" + (f", sha256 {self.fingerprint}" if self.fingerprint else "")


def sign(folder: Path, key: Path, password: str | None = None) -> None:
    """Write the signature of all that lies in a bundle.

    Args:
        folder: The bundle, finished but for the signature.
        key: Private elliptic-curve key, PEM; or `KEYLESS`.
        password: Of the key, where it has one.

    Raises:
        MissingExtraError: The library is not installed.
        FileError: The key cannot be read.
        UsageError: It is no such key, or the password is missing or wrong.
    """
    library = _library()
    if key == KEYLESS:
        sign_keyless(library, _hashing(library), folder, folder / SIGNATURE)
        return
    _check_private(key, password)
    with _as_edgekit(UsageError, f"{key}: no private key to sign with", hint=_MAKE_KEY):
        library.signing.Config().set_hashing_config(_hashing(library)).use_elliptic_key_signer(
            private_key=key,
            # The library hands it on as it comes, and bytes are what is read there.
            password=None if password is None else password.encode(),
        ).sign(folder, folder / SIGNATURE)


def public_half(key: Path, password: str | None = None) -> str:
    """The public key that belongs to a private one, PEM.

    Raises:
        FileError: The key cannot be read.
        UsageError: It is no such key, or the password is missing or wrong.
    """
    from cryptography.hazmat.primitives import serialization

    public: bytes = (
        _check_private(key, password)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return public.decode()


def check_signature(folder: Path, key: Path | Identity) -> Signed:
    """Check that a bundle was signed by a key's private half, or by somebody, as it lies there.

    Raises:
        MissingExtraError: The library is not installed.
        FileError: The key cannot be read.
        UsageError: It is no public key.
        ArtifactError: No signature, one by another key, or one of other files.
    """
    library = _library()
    fingerprint = "" if isinstance(key, Identity) else _fingerprint(key)
    signature = folder / SIGNATURE
    if signature.is_symlink() or not signature.is_file():
        raise ArtifactError(
            f"{folder}: not signed (no {SIGNATURE})",
            hint="without --key only the digests are checked, which anybody can have made",
        )
    if signature.stat().st_size > _MOST_SIGNATURE_BYTES:
        raise ArtifactError(
            f"{signature}: {signature.stat().st_size:,} bytes",
            limit=f"{_MOST_SIGNATURE_BYTES:,} bytes for a signature",
        )
    if isinstance(key, Identity):
        check_keyless(library, _hashing(library), folder, signature, key)
        return Signed(key)
    refused = f"{folder}: the signature is not by {key}, or the bundle was changed since"
    with _as_edgekit(ArtifactError, refused, hint="don't use this bundle"):
        library.verifying.Config().set_hashing_config(_hashing(library)).use_elliptic_key_verifier(
            public_key=key
        ).verify(folder, signature)
    return Signed(key, fingerprint)


def _hashing(library: Any) -> Any:
    # By its name alone: a path would be told to whoever reads the signature.
    return library.hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _check_private(key: Path, password: str | None) -> Any:
    """The private key; says what is wrong with it before the library does."""
    from cryptography.hazmat.primitives import serialization

    content = _read(key, "key")
    given = None if password is None else password.encode()
    try:
        private = serialization.load_pem_private_key(content, given)
    except TypeError as error:  # one is given and not needed, or the other way round
        needed = "needs a password" if password is None else "has no password"
        hint = "--password, or EDGEKIT_KEY_PASSWORD" if password is None else "leave --password out"
        raise UsageError(f"{key}: the key {needed}", hint=hint) from error
    except Exception as error:
        if password is not None:
            raise UsageError(f"{key}: the password is wrong, or it is no private key") from error
        raise UsageError(f"{key}: no private key (PEM)", hint=_MAKE_KEY) from error
    _check_curve(key, private)
    return private


def _check_curve(key: Path, loaded: Any) -> None:
    curve = getattr(loaded, "curve", None)
    if curve is None or curve.name not in _CURVES:
        raise UsageError(f"{key}: no elliptic-curve key of {', '.join(_CURVES)}", hint=_MAKE_KEY)


def _fingerprint(key: Path) -> str:
    import hashlib

    content = _read(key, "--key")
    with _as_edgekit(UsageError, f"{key}: no public key (PEM)", hint=_MAKE_KEY):
        from cryptography.hazmat.primitives import serialization

        public = serialization.load_pem_public_key(content)
        _check_curve(key, public)
        der = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    return hashlib.sha256(der).hexdigest()


def _read(key: Path, what: str) -> bytes:
    try:
        if key.stat().st_size > _MOST_KEY_BYTES:
            raise UsageError(f"{key}: {key.stat().st_size:,} bytes are no {what}")
        return key.read_bytes()
    except OSError as error:
        raise FileError.from_os_error(error) from error


@contextmanager
def _as_edgekit(kind: type[EdgekitError], message: str, *, hint: str) -> Iterator[None]:
    """Whatever the library raises about what it was given, as one error."""
    try:
        yield
    except EdgekitError:
        raise
    except Exception as error:  # KeyError, ValueError, InvalidSignature, …: it checks no form
        raise kind(message, _told(error), hint=hint) from error


def _told(error: Exception) -> str:
    """What the library found, for people."""
    text = " ".join(str(error).split())
    if found := re.search(r"Hash mismatch for '([^']{1,200})'", text):
        return f"{found[1]} is not what was signed"
    if isinstance(error, KeyError | TypeError | AttributeError) or not text:
        return "the signature has not the form of one"
    return text[:300]


class _Library:
    def __init__(self) -> None:
        from model_signing import hashing, signing, verifying

        self.hashing, self.signing, self.verifying = hashing, signing, verifying


def _library() -> _Library:
    try:
        return _Library()
    except ModuleNotFoundError as error:
        package = owner_of(error.name or "")
        if package is None:
            raise
        raise missing(package) from error
