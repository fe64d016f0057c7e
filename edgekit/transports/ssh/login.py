"""One SSH connection, or one line that says why there is none.

Host keys are compared with `known_hosts` and never taken on trust; keys and the agent are the only
ways to log in, so nothing ever waits for a password.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import extras
from edgekit.errors import DeviceError
from edgekit.transports.ssh.options import Options

if TYPE_CHECKING:
    import asyncssh

_LOGIN_S = 20.0  # from the connection to the login, key exchange and all
_SIGNS = 3  # of life that may fail to come before a connection counts as lost


async def login(options: Options) -> asyncssh.SSHClientConnection:
    """Connect, compare the host key and log in.

    Raises:
        MissingExtraError: asyncssh is not installed.
        DeviceError: No such name, no answer, an unknown or changed host key, or no key that the
            board accepts.
    """
    asyncssh = library()
    seen: dict[str, Any] = {}
    reached = asyncio.Event()

    class Client(asyncssh.SSHClient):  # type: ignore[misc,name-defined]
        def connection_made(self, _connection: object) -> None:
            reached.set()

        def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
            seen.update(host=host, addr=addr, port=port, key=key)
            return False

    attempt = asyncio.ensure_future(_attempt(asyncssh, options, Client))
    waiting = asyncio.ensure_future(reached.wait())
    try:
        await asyncio.wait(
            (attempt, waiting), timeout=options.connect_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not attempt.done() and not reached.is_set():
            raise DeviceError(
                f"{options.shown}: no answer within {options.connect_s:g} s",
                hint="is it switched on, and in this network?",
            )
        return await asyncio.wait_for(attempt, _LOGIN_S)
    except (asyncssh.Error, OSError, ValueError) as error:
        raise await _explained(asyncssh, options, seen, error, reached.is_set()) from error
    finally:
        attempt.cancel()
        waiting.cancel()


async def _explained(
    asyncssh: Any, options: Options, seen: dict[str, Any], error: Exception, reached: bool
) -> DeviceError:
    """One line for what kept us from logging in."""
    if isinstance(error, asyncssh.PermissionDenied):
        return _refused(asyncssh, options)
    if isinstance(error, asyncssh.HostKeyNotVerifiable) and seen:
        return _untrusted(asyncssh, options, seen)
    # Where known_hosts has a key, only its kinds are asked for: a board with another one hangs up.
    hung_up = isinstance(error, (ConnectionError, asyncssh.ConnectionLost))
    if reached and (hung_up or isinstance(error, asyncssh.KeyExchangeFailed)):
        key = await _key_of(asyncssh, options)
        if key is not None and not _is_known(asyncssh, options, key):
            where = {"host": options.host, "addr": "", "port": options.port or 22, "key": key}
            return _untrusted(asyncssh, options, where)
    if isinstance(error, TimeoutError) and reached:
        return DeviceError(f"{options.shown}: connected, and no login within {_LOGIN_S:g} s")
    return _unreachable(asyncssh, options, error)


def library() -> Any:
    """The package asyncssh.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import asyncssh
    except ModuleNotFoundError as error:
        package = extras.owner_of("asyncssh")
        if error.name != "asyncssh" or package is None:
            raise
        raise extras.missing(package) from None
    return asyncssh


async def _attempt(asyncssh: Any, options: Options, client: type) -> Any:
    if options.key is not None and not options.key.is_file():
        raise DeviceError(f"{options.key}: no such key", limit=f"ssh.key in {options.where}")
    known = options.known_hosts
    return await asyncssh.connect(
        options.host,
        **_given(port=options.port, username=options.user),
        **({"client_keys": [str(options.key)]} if options.key else {}),
        client_factory=client,
        # Without a file nobody is known: three empty lists, since "" means the usual file.
        known_hosts=str(known) if known.is_file() else ([], [], []),
        ignore_encrypted=True,  # the agent may hold it; if it doesn't, `_refused` says so
        preferred_auth="publickey",
        gss_host=None,
        keepalive_interval=options.silence_s / _SIGNS,
        keepalive_count_max=_SIGNS,
        login_timeout=_LOGIN_S,
    )


async def _key_of(asyncssh: Any, options: Options) -> Any:
    """The host key that the board shows, for a complaint; None where it shows none."""
    try:
        return await asyncio.wait_for(
            asyncssh.get_server_host_key(options.host, **_given(port=options.port)), _LOGIN_S
        )
    except (OSError, ValueError, asyncssh.Error):
        return None


def _is_known(asyncssh: Any, options: Options, key: Any) -> bool:
    if not options.known_hosts.is_file():
        return False
    port = options.port if options.port not in (None, 22) else None
    known = asyncssh.match_known_hosts(str(options.known_hosts), options.host, "", port)
    return key in known[0]


def _given(**values: object) -> dict[str, Any]:
    """Only what the profile says: the rest is left to ~/.ssh/config."""
    return {key: value for key, value in values.items() if value is not None}


def _untrusted(asyncssh: Any, options: Options, seen: dict[str, Any]) -> DeviceError:
    key, host, port = seen["key"], seen["host"], seen["port"]
    kind = key.get_algorithm().removeprefix("ssh-").partition("-")[0]  # "ed25519", "ecdsa", "rsa"
    shows = f"it shows the {kind} key {key.get_fingerprint()}"
    at_port = f"-p {port} " if port != 22 else ""
    known = options.known_hosts
    entries: tuple[Any, ...] = ((), ())
    if known.is_file():
        entries = asyncssh.match_known_hosts(
            str(known), host, seen["addr"], port if port != 22 else None
        )
    if any(entries[:2]):
        name = f"[{host}]:{port}" if port != 22 else host
        return DeviceError(
            f"{options.shown}: its host key has changed, so it may be another machine",
            shows,
            *(f"{known} has {each.get_fingerprint()}" for each in entries[0]),
            hint=f"if you know why: ssh-keygen -f {known} -R '{name}', then as for a new board",
        )
    return DeviceError(
        f"{options.shown}: its host key is not known",
        shows,
        f"on the board, `ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub` prints what it should be",
        hint=f"if it is the same: ssh-keyscan {at_port}-t {kind} {host} >> {known}",
    )


def _refused(asyncssh: Any, options: Options) -> DeviceError:
    folder = Path("~/.ssh").expanduser()
    usual = sorted(path.with_suffix("") for path in folder.glob("id_*.pub"))
    keys = [options.key] if options.key else [path for path in usual if path.is_file()]
    locked = [key for key in keys if _is_locked(asyncssh, key)]
    if locked:
        return DeviceError(
            f"{options.shown}: the key {locked[0]} has a passphrase, and the agent doesn't hold it",
            hint=f"eval $(ssh-agent); ssh-add {locked[0]}",
        )
    tried = f"the key {options.key}" if options.key else "any key of ~/.ssh or of the agent"
    return DeviceError(
        f"{options.shown}: the board does not accept {tried}",
        hint=f"ssh-copy-id {'-i ' + str(options.key) + ' ' if options.key else ''}"
        f"{f'-p {options.port} ' if options.port else ''}"
        f"{options.user + '@' if options.user else ''}{options.host}",
    )


def _is_locked(asyncssh: Any, key: Path) -> bool:
    try:
        asyncssh.read_private_key(str(key))
    except asyncssh.KeyImportError as error:
        return str(error).startswith("Passphrase")
    except (OSError, ValueError):
        pass
    return False


def _unreachable(asyncssh: Any, options: Options, error: Exception) -> DeviceError:
    if isinstance(error, asyncssh.KeyImportError) and options.key is not None:
        return DeviceError(
            f"{options.key}: {error}",
            hint=f"`key` under [ssh] in {options.where} names a private key",
        )
    if isinstance(error, asyncssh.Error):
        return DeviceError(f"{options.shown}: {getattr(error, 'reason', '') or error}")
    if isinstance(error, socket.gaierror):
        return DeviceError(
            f"{options.host}: no machine of this name is known",
            hint="name yours: edgekit devices add NAME --ssh USER@HOST",
        )
    if isinstance(error, ConnectionRefusedError) or "Connection refused" in str(error):
        return DeviceError(
            f"{options.shown}: port {options.port or 22} refuses connections",
            hint="is its SSH server running?",
        )
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DeviceError(f"{options.shown}: {reason}")
