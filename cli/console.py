"""Where words and progress go: stderr. Data goes to stdout, by `click.echo` or `print_table`."""

from __future__ import annotations

import functools


@functools.cache
def stdout():
    """rich's console for data: tables, in colour on a terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


@functools.cache
def stderr():
    """rich's console for words and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line for people, on stderr; markup is not interpreted."""
    stderr().print(text, markup=False)


def warn(text: str) -> None:
    """A warning, on stderr."""
    stderr().print(f"[yellow]Warning:[/yellow] {_escape(text)}")


def warn_left_out(reasons: dict[str, str], why: str = "unreadable and ") -> None:
    """Names images that were left out, the first ten."""
    if not reasons:
        return
    named = [f"  {reason}" for reason in list(reasons.values())[:10]]
    more = [f"  and {len(reasons) - 10} more"] if len(reasons) > 10 else []
    count = "1 image is" if len(reasons) == 1 else f"{len(reasons)} images are"
    warn("\n".join([f"{count} {why}left out:", *named, *more]))


def progress_bar():
    """A rich progress bar on stderr, shown only on a terminal, gone when done; fits 80 columns."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=stderr(),
        transient=True,
        disable=not stderr().is_terminal,
    )


def _escape(text):
    from rich.markup import escape

    return escape(text)
