"""Where words and progress go: stderr. Data goes to stdout, by `click.echo` or `print_table`."""

from __future__ import annotations

import functools
import shutil
import textwrap
import threading

from npr_keras.visible import visible

LOG_EVERY = 60.0  # seconds between lines where there is no terminal


@functools.cache
def stdout():
    """rich's console for data: tables, in colour on a terminal."""
    return _console()(highlight=False, soft_wrap=False)


@functools.cache
def stderr():
    """rich's console for words and progress."""
    return _console()(stderr=True, highlight=False, soft_wrap=True)


def _console():
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self):
            raise BrokenPipeError  # main knows what that means; rich would exit with 1

        def render_str(self, text, **options):
            return super().render_str(visible(text, lines=True), **options)

    return Ours


def wrapped(text: str, before: int = 0) -> str:
    """Text in lines that fit the terminal, 80 columns where there is none; words stay whole.

    Args:
        text: Its own line ends and indentation are kept.
        before: Columns of the first line that are taken.
    """
    width = shutil.get_terminal_size((80, 24)).columns
    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        found = textwrap.wrap(
            line.strip(),
            max(width, 40),
            initial_indent="x" * before + indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [found[0][before:], *found[1:]] if found else [""]
        before = 0
    return "\n".join(lines)


def say(text: str) -> None:
    """Words for people, on stderr; markup is not interpreted."""
    stderr().print(wrapped(text), markup=False)


def say_command(text: str) -> None:
    """A command as it can be typed, on stderr: its lines stay as they are."""
    stderr().print(text, markup=False)


def warn(text: str) -> None:
    """A warning, on stderr."""
    stderr().print(f"[yellow]Warning:[/yellow] {_escape(wrapped(text, len('Warning: ')))}")


def warn_of_pixels(profile, protocol) -> None:
    """Says where what is stored with a model was found on other pixels than these."""
    for sentence in profile.mismatches(protocol):
        warn(f"{sentence}.")


def warn_skipped(skipped) -> None:
    """Says what a walk passed over: `npr_keras.data.walk.Skipped`."""
    if skipped.endings:
        warn(f"passed over, not images: {skipped.summary()}")
        for hint in skipped.hints():
            warn(f"{hint}.")
    if skipped.outside:
        count = "1 image lies" if skipped.outside == 1 else f"{skipped.outside:,} images lie"
        warn(f"passed over: {count} in no label folder")
    named = list(skipped.named.values())
    if named:
        more = [f"  and {len(named) - 10} more"] if len(named) > 10 else []
        warn("\n".join(["not followed:", *(f"  {line}" for line in named[:10]), *more]))


def warn_left_out(reasons: dict[str, str], why: str = "unreadable and ") -> None:
    """Names images that were left out, the first ten."""
    if not reasons:
        return
    named = [f"  {reason}" for reason in list(reasons.values())[:10]]
    more = [f"  and {len(reasons) - 10} more"] if len(reasons) > 10 else []
    count = "1 image is" if len(reasons) == 1 else f"{len(reasons)} images are"
    warn("\n".join([f"{count} {why}left out:", *named, *more]))


def warn_not_kept(failure: str) -> None:
    """Says that scores were not kept meanwhile, and why; nothing where they were."""
    if failure:
        warn(f"scores were not kept meanwhile ({failure}): broken off, it would have begun anew.")


def progress_bar():
    """Progress on stderr: a bar on a terminal, gone when done; elsewhere a line a minute."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    if stderr().is_terminal:
        return Progress(*columns, console=stderr(), transient=True)

    class Lines(Progress):
        """Says how far it is, into a log file, say."""

        def start(self):
            self._ended = threading.Event()
            threading.Thread(target=self._report, daemon=True).start()

        def stop(self):
            self._ended.set()

        def _report(self):
            while not self._ended.wait(LOG_EVERY):
                for task in self.tasks:
                    say(_progress_line(task))

    return Lines(*columns, console=stderr(), disable=True)


def _progress_line(task) -> str:
    """`scoring: 1,200 of 4,600, 12.3 a second, about 4:36 left`."""
    done = f"{task.completed:,.0f}"
    parts = [f"{done} of {task.total:,.0f}" if task.total else done]
    if task.speed:
        parts.append(f"{task.speed:.1f} a second")
    if task.time_remaining:
        minutes, seconds = divmod(round(task.time_remaining), 60)
        parts.append(f"about {minutes}:{seconds:02} left")
    note = f" ({task.fields['note'].strip()})" if task.fields.get("note") else ""
    return f"{task.description.strip() or 'working'}: {', '.join(parts)}{note}"


def _escape(text):
    from rich.markup import escape

    return escape(text)
