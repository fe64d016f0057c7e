"""Android phones over adb: with a Python there that runs the agent, or without one.

With `[adb] python` everything is as over SSH: the agent, the model and the samples are pushed once,
each under its digest, and a job belongs to a process on the phone that outlives the cable. With
`[adb] benchmark` LiteRT's own benchmark_model is pushed and tells times, and no outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.transports.adb import facts
from edgekit.transports.adb.link import AdbLink
from edgekit.transports.adb.options import Options, read_options
from edgekit.transports.base import Transport
from edgekit.transports.remote.runner import RemoteRunner
from edgekit.transports.remote.transport import RemoteTransport
from edgekit.transports.remote.way import Link

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

__all__ = ["AdbTransport"]

# What a phone's kernel tells of these is the same for many phones.
_ITS_OWN = ("cpu_model", "nodename")


class AdbTransport(RemoteTransport):
    """A phone with a Python that runs the agent. Nothing is connected before the first job.

    Args:
        options: How it is reached.
    """

    options: Options

    def __init__(self, options: Options) -> None:
        super().__init__(options)

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> Transport:
        """The phone that the table `[adb]` names: this way, or without an agent."""
        options = read_options(profile)
        if options.benchmark is not None:
            from edgekit.transports.adb.benchmark import BenchmarkTransport

            return BenchmarkTransport(options)
        return cls(options)

    def _new_link(self) -> AdbLink:
        return AdbLink(self.options)

    async def _placed(
        self, link: Link, environment: Mapping[str, Any], runner: RemoteRunner
    ) -> dict[str, Any]:
        assert isinstance(link, AdbLink)
        placed = await super()._placed(link, environment, runner)
        return {**placed, **await phone_facts(link, placed)}


async def phone_facts(link: AdbLink, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the phone says of itself beyond what is known.

    Args:
        link: The way there.
        known: What the agent said; it stands, but for the names of processor and machine.

    Raises:
        DeviceError: The phone is gone.
    """

    async def ask() -> bytes:
        done = await link.run(facts.COMMAND, limit_s=facts.LIMIT_S, longest=facts.LONGEST)
        return done.output

    told = facts.read_facts(await link.patiently(ask))
    cores = link.options.cores or told.pop("fastest_cores", None)
    told.pop("fastest_cores", None)
    found = {
        key: value for key, value in told.items() if key in _ITS_OWN or known.get(key) in (None, "")
    }
    allowed = known.get("affinity")
    if cores is not None and "pinned_cpu" not in known:
        # A phone has cores of several kinds: single threads are to be pinned to those of one.
        found["affinity"] = [core for core in cores if allowed is None or core in allowed]
    serial = await link.serial()
    return {"nodename": serial, **found, "host": serial}
