"""The loop around a model that writes text: numpy and anything that answers samples.

A step model takes `token` and `position` and any number of caches [..., length, size]; for each
cache X it gives new_X [..., size], the row that belongs at the position. The cache is the caller's:
an app does what `Stepper` does, with an array that stays where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.errors import ModelError, UsageError
from edgekit.feeding import Asked, answering
from edgekit.job import Job
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TOKEN, POSITION = "token", "position"
LOGITS = "logits"
NEW = "new_"

Choose = Callable[["Array"], int]


@contextmanager
def opened(path: str | Path, transport: Transport | None = None) -> Iterator[Asked]:
    """While active, an artifact that answers samples by the names of its inputs and outputs.

    Args:
        path: Of the artifact's folder.
        transport: The way to the device; None for this machine.

    Raises:
        ArtifactError: No artifact lies there, or it is damaged.
        DeviceError: The device keeps no model loaded.
        RuntimeFault: When asked, too: the runtime failed, or gave NaN or infinite values.
    """
    artifact = Artifact.open(Path(path))
    manifest = artifact.manifest
    job = Job(action="measure", runtime=manifest.runtime, model=str(artifact.model_path))
    ways = {"inputs": manifest.inputs, "outputs": manifest.outputs}
    with answering(transport or LocalTransport(), job, **ways) as asked:
        yield asked


class Stepper:
    """A step model with its cache, from an empty one.

    Args:
        asked: The model.
        caches: Shape of each cache by the name of its input, without the batch axis:
            [..., length, size]; all of one length.

    Attributes:
        position: Where the next token goes; tokens taken so far.
        length: Of the caches: tokens that can be taken.
        caches: float32 [1, ..., length, size] by name, zeros where nothing was written yet.

    Raises:
        ModelError: It has no caches, or caches of several lengths.
    """

    def __init__(self, asked: Asked, caches: Mapping[str, Sequence[int]]) -> None:
        import numpy as np

        lengths = {shape[-2] for shape in caches.values()}
        if len(lengths) != 1:
            raise ModelError(
                f"a step model's caches have one length; found {sorted(lengths) or 'no cache'}"
            )
        self._asked = asked
        self.length = lengths.pop()
        self.position = 0
        self.caches = {name: np.zeros((1, *shape), np.float32) for name, shape in caches.items()}

    def step(self, token: int) -> Array:
        """Take a token.

        Returns:
            Logits of the next one: float32 [classes].

        Raises:
            UsageError: The cache is full.
        """
        import numpy as np

        if self.position >= self.length:
            raise UsageError(f"the cache holds {self.length} tokens; all of them are taken")
        at = {TOKEN: np.array([token], np.int32), POSITION: np.array([self.position], np.int32)}
        found = self._asked({**at, **self.caches})
        for name, cache in self.caches.items():
            cache[..., self.position, :] = found[NEW + name]
        self.position += 1
        return np.asarray(found[LOGITS][0])


def written(
    stepper: Stepper, prompt: Sequence[int], choose: Choose, *, end: int | None = None
) -> list[int]:
    """Tokens that a step model writes behind a prompt.

    Args:
        stepper: With an empty cache, or after earlier tokens.
        prompt: At least one token.
        choose: The next token, of logits [classes].
        end: The token that ends a text; None writes until the cache is full.

    Returns:
        What comes behind the prompt, the end included where it came.

    Raises:
        UsageError: The prompt is empty, or longer than the cache.
    """
    if not prompt:
        raise UsageError("an empty prompt: the first token says what to write")
    for token in prompt:
        logits = stepper.step(token)
    found: list[int] = []
    while True:
        found.append(choose(logits))
        if found[-1] == end or stepper.position == stepper.length:
            return found
        logits = stepper.step(found[-1])


def sampled(random: np.random.Generator, temperature: float = 1.0) -> Choose:
    """A choice by chance, as likely as the softmax says.

    Args:
        random: Where chance comes from.
        temperature: Logits are divided by it: above 0, below 1 for what is likely.

    Returns:
        Logits [classes] → a class, never 0, which fills up.

    Raises:
        UsageError: The temperature is not above 0, or not finite.
    """
    import numpy as np

    if not 0 < temperature < math.inf:
        raise UsageError(
            f"temperature {temperature:g}: a number above 0", hint="highest takes the likeliest"
        )

    def choose(logits: Array) -> int:
        scaled = logits[1:].astype(np.float64) / temperature
        # The largest of Gumbel noise on logits is a draw by their softmax.
        return 1 + int((scaled + random.gumbel(size=scaled.shape)).argmax())

    return choose


def highest(logits: Array) -> int:
    """The likeliest class of logits [classes], never 0, which fills up."""
    return 1 + int(logits[1:].argmax())


def greedy(asked: Asked, source: Array, *, end: int) -> Array:
    """What a model with the inputs `source` and `target` writes, the likeliest token at each step.

    It is asked anew for each token, with all that was written so far.

    Args:
        asked: Gives logits [N, length, classes] of what comes next at each step.
        source: int32 [N, length].
        end: The token that begins and ends a text.

    Returns:
        int32 [N, length]: tokens with the end, where it came, and 0 behind it.
    """
    import numpy as np

    count, length = source.shape
    target = np.zeros((count, length + 1), np.int32)
    target[:, 0] = end
    writing = np.ones(count, bool)
    for at in range(length):
        logits = asked({"source": source, "target": target[:, :length]})[LOGITS][:, at]
        target[:, at + 1] = np.where(writing, 1 + logits[:, 1:].argmax(axis=1), 0)
        writing &= target[:, at + 1] != end
        if not writing.any():
            break
    return target[:, 1:]
