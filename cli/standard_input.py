"""What arrives on standard input: paths, or the bytes of one image."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator

# How files of the formats begin that decode.py reads.
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF",
    b"P5",
    b"P6",
    b"\0\0\0\x0cjP",
)


@contextlib.contextmanager
def given_paths(paths: Iterable[str]) -> Iterator[tuple[Iterator[str], dict[str, str]]]:
    """The paths of a command line, `-` being replaced by what stands on standard input.

    An image that arrives there lies in a file until the block ends.

    Yields:
        The paths, and what to call those that nobody typed.
    """
    names: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        yield _each(paths, stack, names), names


def _each(paths, stack, names) -> Iterator[str]:
    for path in paths:
        if path != "-":
            yield path
            continue
        stream = sys.stdin.buffer
        first = stream.readline()
        if first.startswith(_BEGINNINGS) or b"ftyp" in first[:12]:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            image = os.path.join(folder, "image")
            names[image] = "(standard input)"
            with open(image, "wb") as file:
                file.write(first)
                while data := stream.read(1 << 20):
                    file.write(data)
            yield image
        else:
            while first:
                if line := first.rstrip(b"\r\n"):
                    yield os.fsdecode(line)
                first = stream.readline()
