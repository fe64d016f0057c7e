"""What a compiler estimates of a file on an accelerator that is not there, as data.

No figure here was timed on anything: it is a model of the hardware, by those who make it. Does not
estimate (`edgekit.transports.ethos_u` does), and is never kept among what was measured on devices.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Fields

KIND = "estimate"

_MOST_LAYERS = 100_000
_MOST_BYTES = 2**50
_MOST_CYCLES = 2**60


@dataclass(frozen=True, slots=True)
class Layer:
    """One operation of the compiled file.

    Attributes:
        op: Operator of the file that it is from ("Conv2D").
        compiled: What the compiler made of it ("DepthwiseConv2D"); one operator may become several.
        name: Of its output in the file.
        on_npu: Whether it runs on the accelerator; otherwise on the processor beside it, of which
            the compiler knows nothing: its cycles are 0.
        cycles: Of the accelerator's clock, waiting for memory included.
        npu_cycles: What computing alone takes.
        sram_cycles: What its traffic with SRAM takes; likewise the next three.
        dram_cycles: DRAM.
        on_chip_flash_cycles: Flash on the chip.
        off_chip_flash_cycles: Flash beside it.
        macs: Multiply–accumulates.
        staging_bytes: Of the fast memory, while it runs.
    """

    op: str
    compiled: str
    name: str
    on_npu: bool
    cycles: int
    npu_cycles: int
    sram_cycles: int
    dram_cycles: int
    on_chip_flash_cycles: int
    off_chip_flash_cycles: int
    macs: int
    staging_bytes: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> Layer:
        """Check and rebuild. Raises as `Estimate.from_json`."""
        taken = Fields(data, "layer", DeviceError)
        cycles = (
            "cycles", "npu_cycles", "sram_cycles", "dram_cycles", "on_chip_flash_cycles",
            "off_chip_flash_cycles", "macs",
        )  # fmt: skip
        layer = Layer(
            op=taken.text("op", longest=1024),
            compiled=taken.text("compiled", longest=1024),
            name=taken.text("name", longest=65_536),
            on_npu=taken.flag("on_npu"),
            **{key: taken.integer(key, high=_MOST_CYCLES) for key in cycles},
            staging_bytes=taken.integer("staging_bytes", high=_MOST_BYTES),
        )
        taken.done()
        return layer


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an inference would take, by the compiler's model of the hardware.

    What runs beside the accelerator is not in `cycles`: where `cpu_ops` is not 0, the whole
    inference takes longer than `inference_ms`.

    Attributes:
        compiler: Name and version of what estimated.
        accelerator: Configuration of the accelerator: "ethos-u55-128".
        system: Name of the memories and clocks that were assumed.
        memory: Name of what lies in which memory.
        clock_hz: The accelerator's clock.
        cycles: Of that clock, for one inference.
        sram_bytes: Highest use of SRAM.
        dram_bytes: Highest use of DRAM.
        on_chip_flash_bytes: Flash on the chip.
        off_chip_flash_bytes: Flash beside it.
        macs: Multiply–accumulates on the accelerator.
        weight_bytes: Weights of the file that the accelerator takes.
        encoded_bytes: The same as the compiler stores them.
        layers: Operations of the compiled file, in order.
        reasons: Why an operator stays off the accelerator, one line each: "SOFTMAX: …".
    """

    compiler: str
    accelerator: str
    system: str
    memory: str
    clock_hz: float
    cycles: int
    sram_bytes: int
    dram_bytes: int
    on_chip_flash_bytes: int
    off_chip_flash_bytes: int
    macs: int
    weight_bytes: int
    encoded_bytes: int
    layers: tuple[Layer, ...]
    reasons: tuple[str, ...] = ()

    @property
    def inference_ms(self) -> float:
        """Time on the accelerator for one inference, in milliseconds."""
        return 1000 * self.cycles / self.clock_hz

    @property
    def flash_bytes(self) -> int:
        """Flash of both kinds."""
        return self.on_chip_flash_bytes + self.off_chip_flash_bytes

    @property
    def npu_ops(self) -> int:
        """Operations on the accelerator."""
        return sum(layer.on_npu for layer in self.layers)

    @property
    def npu_share(self) -> float:
        """Share of the operations that run on the accelerator, in 0–1."""
        return self.npu_ops / len(self.layers) if self.layers else 0.0

    @property
    def cpu_ops(self) -> dict[str, int]:
        """Operators that stay on the processor beside it → how many, the most frequent first."""
        return dict(Counter(one.op for one in self.layers if not one.on_npu).most_common())

    def to_json(self) -> dict[str, Any]:
        """With the kind, and with what follows from the figures."""
        return {
            "kind": KIND,
            **{key: getattr(self, key) for key in _PLAIN},
            "inference_ms": self.inference_ms,
            "flash_bytes": self.flash_bytes,
            "npu_ops": self.npu_ops,
            "npu_share": self.npu_share,
            "cpu_ops": self.cpu_ops,
            "layers": [layer.to_json() for layer in self.layers],
            "reasons": list(self.reasons),
        }

    @staticmethod
    def from_json(data: Any) -> Estimate:
        """Check and rebuild.

        Raises:
            DeviceError: A key is missing, unknown, of the wrong type or out of bounds; or it is
                of another kind.
        """
        taken = Fields(data, "estimate", DeviceError)
        taken.text("kind", choices=(KIND,))

        def size(key: str) -> int:
            return taken.integer(key, high=_MOST_BYTES)

        # What follows from the figures is worked out anew.
        for derived in ("inference_ms", "flash_bytes", "npu_ops", "npu_share"):
            taken.number(derived, 0.0, high=1e18)
        taken.mapping("cpu_ops", {})
        reasons = taken.items("reasons", (), most=_MOST_LAYERS)
        estimate = Estimate(
            compiler=taken.name("compiler"),
            accelerator=taken.name("accelerator"),
            system=taken.name("system"),
            memory=taken.name("memory"),
            clock_hz=taken.number("clock_hz", low=1.0, high=1e12),
            cycles=taken.integer("cycles", high=_MOST_CYCLES),
            sram_bytes=size("sram_bytes"),
            dram_bytes=size("dram_bytes"),
            on_chip_flash_bytes=size("on_chip_flash_bytes"),
            off_chip_flash_bytes=size("off_chip_flash_bytes"),
            macs=taken.integer("macs", high=_MOST_CYCLES),
            weight_bytes=size("weight_bytes"),
            encoded_bytes=size("encoded_bytes"),
            layers=tuple(Layer.from_json(one) for one in taken.items("layers", most=_MOST_LAYERS)),
            reasons=tuple(str(reason)[:1000] for reason in reasons),
        )
        taken.done()
        return estimate


_PLAIN = (
    "compiler", "accelerator", "system", "memory", "clock_hz", "cycles", "sram_bytes", "dram_bytes",
    "on_chip_flash_bytes", "off_chip_flash_bytes", "macs", "weight_bytes", "encoded_bytes",
)  # fmt: skip
