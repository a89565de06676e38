"""Text from outside, such as a file's name, made harmless where people or programs read it."""

from __future__ import annotations

import os
import re

# Control characters, which move a terminal's cursor and change its colours; marks that turn the
# direction of writing around; line separators; halves of characters, which stand for bytes that are
# no UTF-8.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str | os.PathLike, lines: bool = False) -> str:
    """A text in which nothing acts on a terminal: control characters as they are written in Python.

    Args:
        text: A file's name, or words around one.
        lines: Whether line ends are meant, and stay.

    Example:
        >>> visible("a\\x1b[31mred.png")
        'a\\\\x1b[31mred.png'
    """
    return _ODD.sub(lambda m: m[0] if lines and m[0] == "\n" else _escaped(m[0]), os.fspath(text))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # Python's stand-in for a byte of a name
        code -= 0xDC00
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def cell(value):
    """A value of a CSV table: text that a spreadsheet would take for a formula begins with a quote.

    Others pass as they are; so do numbers, which may begin with a minus.
    """
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
