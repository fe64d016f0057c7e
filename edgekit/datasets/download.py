"""Download a public archive: over https, bounded, and only when somebody asked for it.

Knows one way out of the machine, and nothing of what it brings.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from edgekit.datasets.sources import (
    Archive,
    Place,
    locate,
    open_archive,
    refused_by_system,
    unpack_to_cache,
)
from edgekit.errors import DataError
from edgekit.files import cache_folder, scratch_folder
from edgekit.progress import Progress, Report, silent

MAX_BYTES = 2 * 1024**3
TIMEOUT_S = 30.0  # without a byte
_CHUNK = 256 * 1024


def fetch(
    archive: Archive,
    *,
    report: Report = silent,
    opener: urllib.request.OpenerDirector | None = None,
) -> Place:
    """Make an archive available: where it already is, or from the network into the cache.

    Args:
        archive: What to fetch.
        report: Told bytes.
        opener: Instead of one that obeys the system's proxies and refuses to leave https.

    Returns:
        Where its checked files are.

    Raises:
        DataError: It cannot be downloaded, or is not what it should be.
    """
    if locate(archive) is None:
        place = cache_folder() / "data" / archive.folder
        try:
            with scratch_folder(place) as scratch:
                packed = scratch / f"{archive.folder}.tar.gz"
                _download(archive, packed, opener or https_opener(), report=report)
                unpack_to_cache(archive, packed, report=report)
        except OSError as error:
            raise refused_by_system(error) from error
    open_archive(archive, report=report)
    found = locate(archive)
    assert found is not None
    return found


def https_opener(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """An opener that follows redirects to https only, and knows no other scheme."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpsRedirects(),
        *(handlers or (urllib.request.HTTPSHandler(),)),
    ):
        opener.add_handler(handler)
    return opener


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917  urllib's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"redirected to {newurl[:100]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(
    archive: Archive, packed: Path, opener: urllib.request.OpenerDirector, *, report: Report
) -> None:
    task = f"downloading {archive.name}"
    try:
        with opener.open(archive.url, timeout=TIMEOUT_S) as answer, packed.open("wb") as file:
            total = _length(answer)
            done = 0
            while chunk := _read(answer):
                done += len(chunk)
                if done > MAX_BYTES:
                    raise DataError(
                        f"{archive.url}: more than {MAX_BYTES:,} bytes",
                        limit="edgekit.datasets.download",
                    )
                file.write(chunk)
                report(Progress(task, done, total, note=f"{done / 1e6:.1f} MB"))
            if total is not None and done < total:
                raise DataError(f"{archive.url}: {done:,} of {total:,} bytes came", hint="again")
    except _Unreachable as error:
        raise _failed(archive, error.__cause__ or error) from error
    except urllib.error.URLError as error:
        raise _failed(archive, error) from error
    except http.client.HTTPException as error:
        raise _failed(archive, error) from error
    report(Progress(task, done, done))


class _Unreachable(Exception):
    """The network failed, as opposed to the disk."""


def _read(answer: Any) -> bytes:
    try:
        data: bytes = answer.read(_CHUNK)
        return data
    except OSError as error:
        raise _Unreachable from error


def _length(answer: Any) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _failed(archive: Archive, error: BaseException) -> DataError:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        reason = f"{error.code} {error.reason}"
    return DataError(
        f"{archive.url} cannot be downloaded: {' '.join(str(reason).split())}",
        hint=f"is there a network? Else set EDGEKIT_DATA to a folder that holds {archive.folder} "
        f"or {archive.name}.tar.xz",
    )
