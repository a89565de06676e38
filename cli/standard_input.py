"""What arrives on standard input: paths, or the bytes of one image."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator

_HEAD = 16  # bytes that tell an image from a path


def _is_image(head: bytes) -> bool:
    """Whether bytes begin as files do that decode.py reads, and as no path does."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[6:10] == bytes(4))  # reserved, and 0
        or (head[:2] in (b"P5", b"P6") and head[2:3].isspace())
        or head[:8] == b"\0\0\0\x0cjP  "
        or (head[4:8] == b"ftyp" and head[:1] == b"\0")
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
        head = stream.read(_HEAD)
        if _is_image(head):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            image = os.path.join(folder, "image")
            names[image] = "(standard input)"
            with open(image, "wb") as file:
                file.write(head)
                while data := stream.read(1 << 20):
                    file.write(data)
            yield image
            continue
        rest = head + stream.readline()
        while rest:
            for line in rest.splitlines():
                if line:
                    yield os.fsdecode(line)
            rest = stream.readline()
