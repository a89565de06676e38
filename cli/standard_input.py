"""What arrives on standard input: paths, or the bytes of one image."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator

from npr_keras.data.walk import is_image_head

_HEAD = 16  # bytes that tell an image from a path


@contextlib.contextmanager
def given_paths(
    paths: Iterable[str], null: bool = False
) -> Iterator[tuple[Iterator[str], dict[str, str]]]:
    """The paths of a command line, `-` being replaced by what stands on standard input.

    An image that arrives there lies in a file until the block ends.

    Args:
        paths: As they were typed.
        null: Whether paths on standard input end with NUL, as `find -print0` writes them.

    Yields:
        The paths, and what to call those that nobody typed.
    """
    names: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        yield _each(paths, stack, names, b"\0" if null else b"\n"), names


def _is_binary(head: bytes, end: bytes) -> bool:
    """Whether bytes can be no path: then they are an image, or what the decoder says they are."""
    allowed = b"\t\r\n" + (b"\0" if end == b"\0" else b"")
    return any(byte < 32 and byte not in allowed for byte in head)


def _each(paths, stack, names, end: bytes) -> Iterator[str]:
    for path in paths:
        if path != "-":
            yield path
            continue
        stream = sys.stdin.buffer
        head = stream.read(_HEAD)
        if is_image_head(head) or _is_binary(head, end):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            image = os.path.join(folder, "image")
            names[image] = "(standard input)"
            with open(image, "wb") as file:
                file.write(head)
                while data := stream.read(1 << 20):
                    file.write(data)
            yield image
            continue
        rest = head
        while chunk := stream.readline():  # a line at a time: whoever writes may be slow
            rest += chunk
            *whole, rest = rest.split(end)
            yield from (
                os.fsdecode(name.rstrip(b"\r\n") if end == b"\n" else name)
                for name in whole
                if name
            )
        yield from (os.fsdecode(name) for name in rest.split(end) if name)
