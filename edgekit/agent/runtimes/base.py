"""What every runtime offers to the agent.

`Runtime` stands for the imported package, `LoadedModel` for one model in it. The public `load`
checks before and after; the part an author writes is `_load`. Does not time and reads no samples.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit import extras
from edgekit.agent.runtimes.needs import NEEDED, needed
from edgekit.errors import DeviceError, EdgekitError, FileError, MissingExtraError, RuntimeFault
from edgekit.fields import Setting
from edgekit.measure import Placement, latency_refused
from edgekit.passes import Document, unavailable
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NO_DELEGATE = "none"
# The runtime's own reference: plain kernels, nothing rewritten, nothing delegated.
REFERENCE = "reference"
# What stands for a delegate where there is none: whether an op is computed as the file is stored.
INTEGERS = "integers"


class LoadedModel(ABC):
    """A model that can be called.

    Attributes:
        inputs: In the order `set_inputs` takes them.
        outputs: In the order `get_outputs` returns them.
        facts: What the runtime says about how it computes, for the environment.
        no_latency: Why its time is nobody's latency ("SwiftShader computes in software …"); None
            where it is one.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    facts: Mapping[str, Any]
    no_latency: str | None = None

    @abstractmethod
    def set_inputs(self, arrays: Sequence[Array]) -> None:
        """Hand over one array per input, with batch axis, in dtype and shape of the input."""

    @abstractmethod
    def invoke(self) -> None:
        """Compute the outputs of the inputs that were set, and return when they are there.

        Where a call returns before an accelerator is done, its outputs are read here: this is what
        is timed.
        """

    @abstractmethod
    def get_outputs(self) -> list[Array]:
        """One array per output, with batch axis; the caller owns them."""

    @abstractmethod
    def placement(self) -> Placement:
        """Where the ops run, as read from the runtime after at least one call."""

    def ops(self, warmup: int, calls: int) -> Document:
        """Time of each op, by the runtime's own profiler, with the inputs that were set last.

        Args:
            warmup: Calls that are not counted.
            calls: Calls that are.

        Returns:
            The document of the pass "ops" (`edgekit.passes`); one that says why, where the runtime
            has no profiler.
        """
        return unavailable("edgekit knows no profiler of this runtime")

    def placed(self) -> Document:
        """Where each op runs, with the inputs that were set last.

        Returns:
            The document of the pass "placement" (`edgekit.passes`); one that says why, where the
            runtime does not tell.
        """
        return unavailable("edgekit cannot read of this runtime where each op runs")

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The whole call: inputs set, invoke, outputs read."""
        self.set_inputs(arrays)
        self.invoke()
        return self.get_outputs()


class Runtime(ABC):
    """An imported runtime package.

    Raises:
        MissingExtraError: The package is not installed.
        RuntimeFault: It is installed and does not import.

    Attributes:
        name: Name of the runtime.
        module: What is imported.
        version: Version of the package.
        partly: Whether a delegate may leave ops to others without an error: to see which.
        options: Settings of the delegate, while a model is loaded; `_load` reads them.
        takes_options: Whether its delegates have settings.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    takes_options: ClassVar[bool] = False
    options: Mapping[str, Setting] = {}
    partly = False

    def __init__(self) -> None:
        self.refuse_environment()
        try:
            self._package: Any = import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name and self.module.startswith(error.name):
                raise self._absent() from None
            raise self._broken(error) from error
        except Exception as error:
            raise self._broken(error) from error
        self.version = self.read_version()

    def refuse_environment(self) -> None:  # noqa: B027  most runtimes refuse nothing
        """Raise if the package is known not to work in this process. Runs before the import."""

    def read_version(self) -> str:
        """Version of the imported package."""
        return str(getattr(self._package, "__version__", "unknown"))

    def load(
        self,
        model: Path,
        *,
        threads: int,
        delegate: str | None,
        options: Mapping[str, Setting] | None = None,
    ) -> LoadedModel:
        """Load a model file.

        Args:
            model: The file.
            threads: Threads the runtime may compute with.
            delegate: As in a job.
            options: Settings of the delegate.

        Raises:
            FileError: No such file.
            DeviceError: The delegate that was asked for is not there, takes nothing, or has no
                such option.
            RuntimeFault: The runtime refuses the file.
        """
        if not model.is_file():
            raise FileError(f"{model}: no such model file")
        self._set(delegate, options)
        try:
            return self._load(model, threads, delegate)
        except EdgekitError:
            raise
        except Exception as error:
            raise RuntimeFault(
                f"{self.name} {self.version} cannot load {model.name}: {first_line(error)}",
                f"{model}: {model.stat().st_size:,} bytes",
            ) from error

    @abstractmethod
    def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
        """Load `model`; exceptions of the package may pass."""

    def look_for(
        self, delegate: str | None, options: Mapping[str, Setting] | None = None
    ) -> Mapping[str, Any]:
        """What can be told of a delegate without a person's model.

        Returns:
            Facts, as of a model that it runs; "no_latency" says why its time is nobody's latency.

        Raises:
            DeviceError: It is not present.
        """
        if delegate in (None, NO_DELEGATE, REFERENCE):
            return {}
        self._set(delegate, options)
        return self._look_for(str(delegate))

    def _look_for(self, delegate: str) -> Mapping[str, Any]:
        """Overridden by runtimes that can tell."""
        return {}

    def _set(self, delegate: str | None, options: Mapping[str, Setting] | None) -> None:
        self.options = dict(options or {})
        if self.options and not self.takes_options:
            raise DeviceError(
                f"{self.name} {self.version} takes no options of a delegate; "
                f"{', '.join(sorted(self.options))} of {delegate!r} were given",
                hint="leave out [runtime.options] of the device's TOML file",
            )

    def no_such_delegate(self, delegate: str, known: Sequence[str], *details: str) -> DeviceError:
        """The error for a delegate that this runtime does not have here.

        Args:
            delegate: As it was asked for.
            known: Those that it has here.
            details: What the runtime said of it.
        """
        here = ", ".join(known)
        wanted = needed(self.name, delegate)
        close = get_close_matches(
            delegate.lower(), [*map(str.lower, known), *NEEDED.get(self.name, ())], n=1
        )
        hint = f"it needs {wanted}" if wanted else f"did you mean {close[0]}?" if close else None
        return DeviceError(
            f"{self.name} {self.version}: delegate {delegate!r} is not present on this device",
            *details,
            *([f"present here: {here}"] if here else []),
            hint=hint,
        )

    def _absent(self) -> EdgekitError:
        if package := extras.owner_of(self.module):
            return extras.missing(package)
        return MissingExtraError(self.module, self.name, f"the runtime {self.name}")

    def _broken(self, error: Exception) -> RuntimeFault:
        return RuntimeFault(
            f"{self.name} is installed and does not import: {first_line(error)}",
            hint="reinstall it, or use another environment with `python` in the device's TOML file",
        )


def check_delegate(delegate: str | None, placement: Placement) -> None:
    """A delegate that was asked for and runs nothing is an error, never a slow success.

    Raises:
        DeviceError: `delegate` was asked for and no op ran on it.
    """
    if delegate in (None, NO_DELEGATE, REFERENCE) or placement.delegated:
        return
    ran = ", ".join(f"{count} on {name}" for name, count in placement.executors.items())
    raise DeviceError(
        f"the delegate {delegate!r} was asked for and runs none of the {placement.ops} ops",
        f"ops: {ran or 'none'}",
        f"read from: {placement.evidence}",
        hint="leave the delegate to the runtime, or convert the model to ops it supports",
    )


def refuse_latency(model: LoadedModel) -> None:
    """Raise where the time of a model is nobody's latency.

    Raises:
        DeviceError: With the reason, the model's `no_latency`.
    """
    if model.no_latency is not None:
        raise latency_refused(model.no_latency)


def first_line(error: BaseException) -> str:
    """The first line of an exception that says something."""
    # LiteRT joins its own words without a space between them: "XNNPACK runtimeNode number 9".
    text = re.sub(r"(?<=[a-z])(?=Node number \d)", ": ", str(error))
    lines = (line.strip() for line in text.splitlines())
    return next((line[:400] for line in lines if line), type(error).__name__)
