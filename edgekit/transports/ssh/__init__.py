"""Another machine over SSH: the agent, the model and the samples go there, the results come back.

Three things hold. Host keys are checked and never taken on trust. What lies on the board is known
by its digest and pushed once. And a job belongs to a process on the board that outlives a
connection: when that is lost, a new one asks again, and nothing that was finished is done twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.transports.remote.transport import RemoteTransport
from edgekit.transports.ssh.link import SshLink
from edgekit.transports.ssh.options import Options, read_options

if TYPE_CHECKING:
    from edgekit.device import DeviceProfile

__all__ = ["SshTransport"]


class SshTransport(RemoteTransport):
    """Another machine over SSH. Nothing is connected before the first job.

    Args:
        options: How it is reached.
    """

    options: Options

    def __init__(self, options: Options) -> None:
        super().__init__(options)

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> SshTransport:
        """The board that the table `[ssh]` names."""
        return cls(read_options(profile))

    def _new_link(self) -> SshLink:
        return SshLink(self.options)
