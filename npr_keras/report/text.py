"""The engine under every report: tables as Markdown, LaTeX and CSV, values as JSON, files by their endings."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from npr_keras.atomic import write_text
from npr_keras.errors import ConfigError
from npr_keras.packages import require
from npr_keras.visible import cell, visible

DRAWN = (".png", ".svg")
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def check_path(path: str | os.PathLike, endings: Iterable[str] | None, what: str) -> None:
    """Raises what would stop the writing of a file, before the work that it is to hold begins.

    Args:
        path: The file.
        endings: That it may have; None for any.
        what: What it is, such as "A report".

    Raises:
        ConfigError: If the ending is another, or there is no such folder.
        MissingPackageError: If what draws it is not installed.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if endings is not None and ending not in endings:
        raise ConfigError(
            f"{what} ends in one of {', '.join(endings)}. Received: {os.fspath(path)!r}"
        )
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{what} {path.name}: no such folder: {path.parent}")
    if ending in DRAWN:
        require("A figure", "matplotlib")
    if ending == ".html":
        require("The page", "jinja2", "matplotlib")


def write_by_ending(path: str | os.PathLike, writers: Mapping[str, Callable[[], str]]) -> None:
    """Writes a text, atomically: that of the path's ending."""
    write_text(path, writers[Path(path).suffix.lower()]())


def markdown_text(text: str) -> str:
    """Nothing in a name is markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|" else c for c in text)


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts that are Markdown already: the first column left, the others right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex_text(text: str) -> str:
    """Nothing in a name is a command."""
    return "".join(_ESCAPES.get(c, c) for c in visible(text))


def latex_number(text: str) -> str:
    """Numbers with a minus, names with a hyphen."""
    return latex_text(text).replace("-", "$-$").replace("±", r"$\pm$").replace("–", "--")


def latex_line(cells: Sequence[str]) -> str:
    """A row of cells that are LaTeX already."""
    return " & ".join(cells) + r" \\"


def latex_table(columns: str, *parts: Sequence[str]) -> list[str]:
    """A tabular of booktabs, as lines: a rule between its parts, of which each is lines; empty ones
    are left out."""
    lines = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule"]
    for i, part in enumerate(filter(None, parts)):
        lines += [*([r"\midrule"] if i else []), *part]
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def without_nan(value):
    """JSON has no NaN: an undefined figure becomes null."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def json_text(value) -> str:
    """Plain values as JSON; what is not defined is null."""
    return json.dumps(without_nan(value), indent=2) + "\n"


def csv_text(rows: Sequence[dict]) -> str:
    """Rows of the first one's keys; NaN, and what a row lacks, is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        empty = {k: "" for k, v in row.items() if isinstance(v, float) and math.isnan(v)}
        writer.writerow({k: cell(v) for k, v in (row | empty).items()})
    return text.getvalue()
