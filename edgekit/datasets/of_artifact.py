"""The data that an artifact was made with, found again. Does not run the artifact."""

from __future__ import annotations

from edgekit import registry
from edgekit.artifact import TOKENIZER, Artifact
from edgekit.errors import ArtifactError, UsageError
from edgekit.tokenizing import has_file, keep


def own_dataset(artifact: Artifact) -> str:
    """The registered data set it was made with; a user's own has no path in a manifest.

    Raises:
        UsageError: There is none, or it is no known name.
    """
    name = artifact.manifest.dataset
    if name is not None and name in registry.parts(registry.DATASETS):
        return name
    made = f"with the data set {name!r}, which is no known name" if name else "without a data set"
    raise UsageError(
        f"{artifact.path}: the artifact was made {made}",
        hint="--dataset NAME or --data PATH says what to evaluate on",
    )


def keep_tokenizer(artifact: Artifact) -> None:
    """Put the artifact's own tokenizer where text is read; the digest says it is the same.

    Raises:
        ArtifactError: It is missing, or not the one that the manifest names.
    """
    # One for all inputs: it lies beside the weights it was trained with.
    wanted = [spec.tokenizer for spec in artifact.manifest.preprocessing]
    reference = next((one for one in wanted if has_file(one)), None)
    if reference is None:
        return
    if TOKENIZER not in artifact.manifest.files:
        raise ArtifactError(f"{artifact.path}: {TOKENIZER} is missing", hint="export it again")
    found = keep(artifact.path / TOKENIZER)
    if found != reference:
        raise ArtifactError(
            f"{artifact.path}: {TOKENIZER} is not the tokenizer that its manifest names",
            hint="export it again",
        )
