"""One file over HTTP: resumed where it was broken off, and kept only when it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from npr_keras.errors import DownloadError
from npr_keras.packages import import_needed

_CHUNK = 1 << 20  # bytes, at most
_TIMEOUT = (15, 60)  # seconds: to connect, and between two pieces of data
_TRIES = 5  # without a byte of progress between them
_AGAIN = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Remote:
    """What a server tells of a file.

    Attributes:
        url: The file's.
        size: In bytes; None where the server does not tell.
        sha256: Of the whole, where the server tells; else "".
        etag: What tells this version of the file from others, or "".
    """

    url: str
    size: int | None
    sha256: str = ""
    etag: str = ""


def look_up(url: str, session=None) -> Remote:
    """Asks for a file's size and digest, without fetching it.

    Raises:
        DownloadError: If the server cannot be reached, or has no such file.
    """
    requests = _requests()
    session = session or requests.Session()
    try:
        answer = session.head(
            url, allow_redirects=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}
        )
    except requests.RequestException as error:
        raise DownloadError(f"{url} cannot be reached: {_reason(error)}") from error
    if answer.status_code != 200:
        raise DownloadError(f"{url}: {answer.status_code} {answer.reason}")
    # Hugging Face tells the length and digest of a large file before it sends elsewhere for it.
    headers = [response.headers for response in (*answer.history, answer)]
    size = next((h["X-Linked-Size"] for h in headers if "X-Linked-Size" in h), None)
    size = size or answer.headers.get("Content-Length")
    tags = [h[name].strip('"') for h in headers for name in ("X-Linked-Etag", "ETag") if name in h]
    digests = [tag for tag in tags if re.fullmatch(r"[0-9a-f]{64}", tag)]
    return Remote(
        url,
        int(size) if size and size.isdigit() else None,
        digests[0] if digests else "",
        answer.headers.get("ETag", ""),
    )


def fetch(
    remote: Remote,
    path: str | os.PathLike,
    progress: Callable[[int], None] | None = None,
    wait: float = 1.0,
) -> None:
    """Brings a file; goes on where an earlier call was broken off.

    Args:
        remote: See `look_up`.
        path: Where to. The file appears there when it is whole; until then it is `path` + ".part".
        progress: Called with the number of bytes that came, what was there before included;
            negative where the beginning had to be thrown away.
        wait: Seconds before the second try; doubled for every further one.

    Raises:
        DownloadError: If it cannot be had whole.
    """
    path = Path(path)
    if path.exists():
        if remote.size is not None and path.stat().st_size != remote.size:
            raise DownloadError(
                f"{path} is there with {path.stat().st_size:,} bytes, and {remote.url} has "
                f"{remote.size:,}. Remove it to fetch it again."
            )
        if remote.sha256 and _digest(path) != remote.sha256:
            raise DownloadError(
                f"{path} is there, and its SHA-256 is not the {remote.sha256} that {remote.url} "
                "tells. Remove it to fetch it again."
            )
        _tell(progress, path.stat().st_size)
        return
    part = _Part(path, remote)
    _tell(progress, part.size)
    fault, tries, furthest = "", 0, part.size
    while tries < _TRIES:
        fault = _attempt(remote, part, progress)
        if not fault:
            part.finish()
            return
        tries = 1 if part.size > furthest else tries + 1
        furthest = max(furthest, part.size)
        if tries < _TRIES:
            time.sleep(wait * 2 ** (tries - 1))
    raise DownloadError(
        f"{remote.url} broke off {_TRIES} times at {part.size:,} bytes: {fault}. What came is kept; "
        "the same command goes on from there."
    )


class _Part:
    """A file under way, and which version of the remote file it is of."""

    def __init__(self, path: Path, remote: Remote):
        self.path = path
        self.remote = remote
        self.file = path.with_name(path.name + ".part")
        self.note = path.with_name(path.name + ".part.json")
        version = {"url": remote.url, "size": remote.size, "etag": remote.etag}
        if self.file.exists() and (self._noted() != version or self._is_too_long()):
            self.file.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(json.dumps(version))

    def _is_too_long(self) -> bool:
        return self.remote.size is not None and self.size > self.remote.size

    def _noted(self):
        try:
            return json.loads(self.note.read_text())
        except (OSError, ValueError):
            return None

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def finish(self) -> None:
        """Checks the whole, and gives it its name."""
        if self.remote.sha256:
            digest = _digest(self.file)
            if digest != self.remote.sha256:
                self.file.unlink()
                self.note.unlink()
                raise DownloadError(
                    f"{self.remote.url}: what came has the SHA-256 {digest}, not "
                    f"{self.remote.sha256}. It was thrown away; try again."
                )
        self.note.unlink()
        os.replace(self.file, self.path)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _attempt(remote: Remote, part: _Part, progress) -> str:
    """One request for what is left. Returns what went wrong, "" where the file is whole."""
    requests = _requests()
    import urllib3

    start = part.size
    if remote.size is not None and start == remote.size:
        return ""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if remote.etag and not remote.etag.startswith("W/"):
            headers["If-Range"] = remote.etag
    network = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
    try:
        answer = requests.get(remote.url, headers=headers, stream=True, timeout=_TIMEOUT)
    except network as error:
        return _reason(error)
    with answer:
        if answer.status_code in _AGAIN:
            return f"{answer.status_code} {answer.reason}"
        sent = re.match(r"bytes (\d+|\*)(?:-\d+)?/", answer.headers.get("Content-Range", ""))
        if answer.status_code == 416 and start:
            return _thrown_away(part, progress, "what came so far is no part of the file")
        if answer.status_code not in (200, 206):
            raise DownloadError(f"{remote.url}: {answer.status_code} {answer.reason}")
        goes_on = answer.status_code == 206
        if goes_on and not (start and sent and sent[1] == str(start)):
            return _thrown_away(part, progress, "another part came than was asked for")
        if start and not goes_on:  # the whole once more
            _tell(progress, -start)
        with open(part.file, "ab" if goes_on else "wb") as file:
            while True:
                try:
                    # read1 gives what has come, also of a connection that breaks then.
                    chunk = answer.raw.read1(_CHUNK)
                except network as error:
                    return _reason(error)
                if not chunk:
                    break
                if remote.size is not None and file.tell() + len(chunk) > remote.size:
                    part.file.unlink()
                    raise DownloadError(
                        f"{remote.url} sends more than the {remote.size:,} bytes that it "
                        "announced. What came was thrown away."
                    )
                file.write(chunk)
                _tell(progress, len(chunk))
    if remote.size is not None and part.size != remote.size:
        return f"{part.size:,} of {remote.size:,} bytes came"
    return ""


def _thrown_away(part: _Part, progress, fault: str) -> str:
    """Begins anew with the next request."""
    _tell(progress, -part.size)
    part.file.unlink(missing_ok=True)
    return fault


def _tell(progress, count: int) -> None:
    if progress and count:
        progress(count)


def _reason(error: BaseException) -> str:
    """The innermost words of a wrapped network error."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def _requests():
    return import_needed("requests", "A download")
