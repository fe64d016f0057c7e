"""Signatures without a key, by Sigstore: who signed is a name that an OpenID Connect issuer knows.

Needs the network, to sign and to verify: Sigstore's certificates, log and root of trust. The
library `model-signing` does both; the signature has the same form as one by a key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError, EdgekitError, UsageError

KEYLESS = Path("sigstore")  # in place of a key
TOKEN = "SIGSTORE_IDENTITY_TOKEN"  # noqa: S105  the name of Sigstore's own variable
_OFFLINE = "Sigstore cannot be reached: {}"
_NEEDED = "--sign KEY and --key KEY need no network"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a signature has to be by.

    Attributes:
        name: An e-mail address, or the URL of a workflow.
        issuer: URL of who vouches for it: "https://github.com/login/oauth".
    """

    name: str
    issuer: str

    def __str__(self) -> str:
        return f"{self.name} ({self.issuer})"


def sign_keyless(library: Any, hashing: Any, folder: Path, signature: Path) -> None:
    """Sign a bundle by whoever is running this.

    That is who the token in `SIGSTORE_IDENTITY_TOKEN` names, or the workflow of a CI that gives
    one, or who then logs in by a browser.

    Raises:
        UsageError: Nobody logged in, the token is none, or Sigstore cannot be reached.
    """
    try:
        library.signing.Config().set_hashing_config(hashing).use_sigstore_signer(
            use_ambient_credentials=True, identity_token=os.environ.get(TOKEN)
        ).sign(folder, signature)
    except Exception as error:  # of the network, of tokens, of the flow: it has many
        raise _told(error, UsageError, "not signed by Sigstore") from error


def check_keyless(
    library: Any, hashing: Any, folder: Path, signature: Path, identity: Identity
) -> None:
    """Check that a bundle was signed by somebody, as it lies there.

    Raises:
        UsageError: Sigstore cannot be reached.
        ArtifactError: By somebody else, or of other files.
    """
    try:
        library.verifying.Config().set_hashing_config(hashing).use_sigstore_verifier(
            identity=identity.name, oidc_issuer=identity.issuer
        ).verify(folder, signature)
    except Exception as error:
        refused = f"{folder}: the signature is not by {identity}, or the bundle was changed since"
        raise _told(error, ArtifactError, refused) from error


def _told(error: Exception, kind: type[EdgekitError], message: str) -> EdgekitError:
    from sigstore.errors import NetworkError, TUFError

    reason = " ".join(str(error).split())[:300] or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TUFError | NetworkError | OSError):
            return UsageError(_OFFLINE.format(reason), hint=_NEEDED)
        cause = cause.__cause__ or cause.__context__
    return kind(message, reason)
