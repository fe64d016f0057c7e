"""`agent.pyz --relay FOLDER KIND KEEP_S [--new]`: stdin and stdout of a connection to a runner.

With `--new` the runner is started first, unless an earlier call that nobody heard of did. Where
there is none, the one line `{"gone": reason}` says so. Passes bytes on and understands none.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
from contextlib import suppress
from pathlib import Path

from edgekit.agent import runner


def main(arguments: list[str]) -> int:
    """Connect, and pass bytes on until one of the two ends."""
    folder, kind, keep_s, *new = arguments
    try:
        connection = _connection(Path(folder), kind, float(keep_s), new=new == ["--new"])
    except OSError as error:
        reason = error.strerror or str(error)
        os.write(1, json.dumps({"gone": f"{folder}: {reason}"}).encode() + b"\n")
        return 3
    with connection:
        _pump(connection)
    return 0


def _connection(folder: Path, kind: str, keep_s: float, *, new: bool) -> socket.socket:
    if new:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            runner.start(folder, kind, keep_s)
    return runner.connection_to(folder)


def _pump(connection: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    data = os.read(0, 65536)
                    if not data:
                        return
                    connection.sendall(data)
                else:
                    data = connection.recv(65536)
                    if not data:
                        return
                    left = memoryview(data)
                    while left:
                        left = left[os.write(1, left) :]
