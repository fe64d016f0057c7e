"""Arm Ethos-U NPUs, by what Arm's compiler Vela estimates: cycles, time and memory.

There is no such NPU here and nothing runs: every figure is an estimate, and says so. A file that
computes in float, or of which nothing goes to the NPU, is refused. Vela needs no device.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import extras
from edgekit.errors import DeviceError
from edgekit.estimated import Estimate
from edgekit.job import Job, JobResult
from edgekit.passes import Document
from edgekit.process import ChildCrashed, ChildFailed, run_in_child
from edgekit.transports import vela
from edgekit.transports.base import Transport

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
# Vela's own choice of memories and clocks for each family.
_SYSTEMS = {
    "ethos-u55": ("Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos-u65": ("Ethos_U65_Client_Server", "Dedicated_Sram_384KB"),
    "ethos-u85": ("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
}
_OWN_CONFIG = "Arm/vela.ini"
_MAGIC = b"TFL3"


class EthosUTransport(Transport):
    """Estimates for one configuration of an Ethos-U.

    Args:
        accelerator: One of `ACCELERATORS`.
        system: Section `System_Config.…` of the `.ini`: clocks and memories.
        memory: Section `Memory_Mode.…`: what lies in which memory.
        config: The `.ini`; Vela's own by default.
        optimise: "Performance" or "Size".
    """

    no_latency = "an estimate by Vela, not a measurement; edgekit profile prints it as such"
    estimates = True

    def __init__(
        self,
        accelerator: str,
        *,
        system: str = "",
        memory: str = "",
        config: Path | None = None,
        optimise: str = "Performance",
    ) -> None:
        usual_system, usual_memory = _SYSTEMS[accelerator.rpartition("-")[0]]
        self._accelerator = accelerator
        self._system = system or usual_system
        self._memory = memory or usual_memory
        self._config = config
        self._optimise = optimise

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> EthosUTransport:
        """By the table `[ethos-u]`; `accelerator` is the only key that must be there.

        Raises:
            DeviceError: A key is missing, unknown or wrong.
        """
        options = profile.option_fields()
        config = options.optional_text("config")
        place = None
        if config is not None and config != _OWN_CONFIG:
            place = Path(config).expanduser()
            if profile.path is not None and not place.is_absolute():
                place = profile.path.parent / place
            if place.suffix != ".ini" or not place.is_file():
                raise options.fail("config", f"{place} is no .ini file")
        transport = cls(
            options.text("accelerator", choices=ACCELERATORS),
            system=options.name("system") if options.has("system") else "",
            memory=options.name("memory") if options.has("memory") else "",
            config=place,
            optimise=options.text("optimise", "Performance", choices=("Performance", "Size")),
        )
        options.done()
        return transport

    def _run(self, job: Job, timeout_s: float | None) -> JobResult:
        compiler = _vela()
        if job.action == "placement":
            found = self._estimate(job, timeout_s)
            return JobResult(environment={}, documents={job.action: _placed(found)})
        if job.action != "probe":
            raise DeviceError(
                f"{self._accelerator} is not here: nothing runs on it",
                hint="edgekit profile prints what Vela estimates",
            )
        return JobResult(
            environment={
                "accelerator": self._accelerator,
                "system": self._system,
                "memory": self._memory,
                "optimise": self._optimise,
                "kind": "estimate",
                "runtimes": {"vela": {"version": compiler.rpartition(" ")[2]}},
            }
        )

    def _estimate(self, job: Job, timeout_s: float | None) -> Estimate:
        compiler, model = _vela(), Path(job.model).resolve()
        with model.open("rb") as stream:
            if stream.read(8)[4:] != _MAGIC:
                raise DeviceError(
                    f"{job.model}: no .tflite file; Vela compiles full-integer .tflite files",
                    hint="edgekit export MODEL --int8 --target tflite",
                )
        # The name of the summary omits the accelerator: a folder for each.
        with tempfile.TemporaryDirectory(prefix="edgekit-vela-") as scratch:
            folder = Path(scratch)
            arguments = [
                str(model),
                *("--accelerator-config", self._accelerator),
                *("--config", str(self._config.resolve()) if self._config else _OWN_CONFIG),
                *("--system-config", self._system, "--memory-mode", self._memory),
                *("--optimise", self._optimise, "--output-dir", scratch),
                "--verbose-performance",
            ]
            try:
                run_in_child(
                    vela.ENTRY, {"arguments": arguments, "folder": scratch}, timeout_s=timeout_s
                )
            except (ChildCrashed, ChildFailed) as error:
                ended = error.message.removeprefix(f"the process running {vela.ENTRY} ")
                raise DeviceError(
                    f"{compiler} {ended} while it compiled {model.name} for {self._accelerator}",
                    *(vela.last_words(folder) or error.details),
                    hint="system, memory and config stand in [ethos-u] of the device's TOML file",
                ) from error
            found = vela.read(folder, model.stem, compiler=compiler, accelerator=self._accelerator)
        if not found.npu_ops:
            raise DeviceError(
                f"nothing of {job.model} goes to {self._accelerator}: all "
                f"{len(found.layers)} operators stay on the processor",
                *found.reasons[:5],
                hint="an Ethos-U computes in 8 and 16 bits: edgekit export MODEL --int8",
            )
        return found


def _placed(found: Estimate) -> Document:
    """Where Vela puts each operation, as the pass "placement"."""
    reasons = (reason.partition(": ") for reason in found.reasons)
    return {
        "wanted": found.accelerator,
        "ops": [
            {
                "name": layer.name,
                "place": None,
                "kind": layer.op,
                "executor": found.accelerator if layer.on_npu else "processor",
                "taken": layer.on_npu,
            }
            for layer in found.layers
        ],
        "reasons": {kind: why for kind, _, why in reasons},
        "evidence": f"per-layer table of {found.compiler}: nothing ran",
    }


def _vela() -> str:
    """Name and version of the Vela that is installed.

    Raises:
        MissingExtraError: None is.
    """
    try:
        return f"Vela {version('ethos-u-vela')}"
    except PackageNotFoundError:
        package = extras.owner_of("ethosu")
        assert package is not None
        raise extras.missing(package) from None
