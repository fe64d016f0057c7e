"""Another machine over SSH: the agent, the model and the samples go there, the results come back.

Three things hold. Host keys are checked and never taken on trust. What lies on the board is known
by its digest and pushed once. And a job belongs to a process on the board that outlives a
connection: when that is lost, a new one asks again, and nothing that was finished is done twice.
"""

from __future__ import annotations

from edgekit.transports.ssh.transport import SshTransport

__all__ = ["SshTransport"]
