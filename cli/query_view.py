"""A server's answers as lines. Nothing heavy is imported: a query is over in a moment."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import click

_FIELDS = ("path", "probability", "logit", "label", "error")
_UNSCORED = "the server gives no score: no image, or one that is too small or too large"


def readable(paths: Iterable[str], names: list[str], unread: dict[str, str]) -> Iterator[bytes]:
    """The files' bytes, with their names in order; what cannot be read is noted instead."""
    for path in paths:
        try:
            data = sys.stdin.buffer.read() if path == "-" else _read(path)
        except OSError as error:
            unread[path] = error.strerror or str(error)
            continue
        names.append(path)
        yield data


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def show_answers(answers, names: list[str], unread: dict[str, str], form: str | None) -> int:
    """Prints each answer as it comes.

    Returns:
        How many images have none.
    """
    writer = None
    if form == "csv":
        writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
        writer.writeheader()
    counts: Counter[str] = Counter()
    for i, answer in enumerate(answers):
        if not i:
            _head(form)
        error = "" if answer.valid else _UNSCORED
        counts[answer.label if answer.valid else "unreadable"] += 1
        _show(names[i], answer, error, form, writer)
    for path, reason in unread.items():
        if not counts:
            _head(form)
        counts["unreadable"] += 1
        _show(path, None, reason, form, writer)
    total = sum(counts.values())
    said = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    click.echo(f"{total} image{'s' * (total != 1)}: {said}", err=True)
    return counts["unreadable"]


def _head(form) -> None:
    if not form:
        click.secho(f"{'probability':11}  {'label':11}  image", bold=True)


def _show(path: str, answer, error: str, form, writer) -> None:
    row = dict.fromkeys(_FIELDS)
    row |= {"path": os.fspath(path), "error": error}
    if answer and not error:
        row |= {k: getattr(answer, k) for k in ("probability", "logit", "label")}
    if form == "json":
        click.echo(json.dumps({k: v for k, v in row.items() if v not in (None, "")}))
    elif writer:
        writer.writerow({k: "" if v is None else v for k, v in row.items()})
    elif error:
        click.echo(f"{'–':>11}  {'unreadable':11}  {path}: {error}")
    else:
        shown = row["probability"] if not math.isnan(row["probability"]) else 0
        click.echo(f"{shown:>11.4f}  {row['label']:11}  {path}")
