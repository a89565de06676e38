"""Where published sets can be had. The table itself is addresses.toml."""

from __future__ import annotations

import csv
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources

from npr_keras.errors import ConfigError


@dataclass(frozen=True)
class Archive:
    """One archive, in one file or in several.

    Attributes:
        name: What it is called, without the numbers of its parts.
        urls: Of its parts, in order.
        into: The folder below the set's that it is unpacked to.
    """

    name: str
    urls: tuple[str, ...]
    into: str = "."

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the parts on disk."""
        if len(self.urls) == 1:
            return (self.name,)
        return tuple(f"{self.name}.{number:03}" for number in range(1, len(self.urls) + 1))


@dataclass(frozen=True)
class SingleFile:
    """One file of a set that has no archives.

    Attributes:
        path: Where it is going to lie, below the set's folder.
        url: Its address.
        sha256: Of its bytes.
        size: In bytes.
        licence: What its source says.
    """

    path: str
    url: str
    sha256: str
    size: int
    licence: str


@dataclass(frozen=True)
class Download:
    """A published set.

    Attributes:
        name: What the command line calls it.
        title: What tables call it.
        folder: Its folder below a data root.
        page: What a person can open in a browser.
        archives: Its archives; empty where it lies in a folder of Google Drive.
        drive: The identifier of that folder, or "".
        files: The table of its single files, beside this module, or "".
    """

    name: str
    title: str
    folder: str
    page: str
    archives: tuple[Archive, ...] = ()
    drive: str = ""
    files: str = ""

    def single_files(self) -> list[SingleFile]:
        """What is fetched file by file; nothing for a set of archives."""
        if not self.files:
            return []
        text = resources.files("npr_keras.download").joinpath(self.files).read_text("utf-8")
        return [
            SingleFile(
                row["file"], row["address"], row["sha256"], int(row["bytes"]), row["licence"]
            )
            for row in csv.DictReader(text.splitlines())
        ]


@functools.cache
def downloads() -> dict[str, Download]:
    """All of them by name: the training set, the suites in the paper's order, then single files."""
    text = resources.files("npr_keras.download").joinpath("addresses.toml").read_text("utf-8")
    return {name: _download(name, values) for name, values in tomllib.loads(text).items()}


def get_download(name: str) -> Download:
    """The set of that name; raises ConfigError, with the known names, where there is none."""
    try:
        return downloads()[name]
    except KeyError:
        raise ConfigError(
            f"No addresses for that. Known: {', '.join(downloads())}, all28. Received: {name!r}"
        ) from None


def _download(name: str, values: dict) -> Download:
    archives = []
    for row in values.pop("archives", ()):
        parts, url = row.pop("parts", 1), row.pop("url")
        numbers = [f".{n:03}" for n in range(1, parts + 1)] if parts > 1 else [""]
        archives.append(Archive(urls=tuple(url + number for number in numbers), **row))
    return Download(name, archives=tuple(archives), **values)
