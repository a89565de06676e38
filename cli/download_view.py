"""Downloads: how much there is to come, progress, and what is there at the end."""

from __future__ import annotations

import functools

from npr_keras_cli.console import say, stderr, stdout


def show_plans(plans) -> None:
    """Prints what each `Plan` takes."""
    stdout().print(f"{'file':34}{'size':>10}  to", style="bold")
    for plan in plans:
        for _, path, remote in plan.files:
            _line(path.name, size_text(remote.size), plan.folder)
        for name in plan.done:
            _line(name, "unpacked", plan.folder)
        if plan.download.drive and not plan.done:
            _line(f"{plan.download.title} (Google Drive)", "not told", plan.folder)
    sizes = [plan.size for plan in plans]
    total = size_text(None if None in sizes else sum(sizes))
    here = sum(plan.here for plan in plans)
    there = f", {size_text(here)} of it here" if here else ""
    stdout().print(f"\nIn all {total}{there}; {size_text(plans[0].free)} are free.")
    stdout().print("Unpacking needs about as much again.")
    if any(plan.done for plan in plans):
        stdout().print(
            "What was unpacked is not fetched again; to fetch it, remove the folder .downloads\n"
            "in the set's folder."
        )


def run_downloads(plans, keep_archives: bool, data_root) -> None:
    """Fetches each `Plan`, and says what is on disk then."""
    from npr_keras.download import run_plan
    from npr_keras.evaluation.suites import locate, published_suites

    for plan in plans:
        suite = published_suites().get(plan.download.name)
        keep = [n for s in suite.sets for n in (s.folder, *s.also)] if suite else []
        with _progress_bar() as bar:
            task = bar.add_task(plan.download.title, total=plan.size)
            advance = functools.partial(_advance, bar, task)
            count = run_plan(plan, keep_archives, advance, keep)
        say(f"{plan.download.title}: {count:,} files in {plan.folder}")
        if suite:
            (located,) = locate((suite,), data_root)
            missing = f", missing: {', '.join(located.missing)}" if located.missing else ""
            say(f"{len(located.found)} of {len(suite.sets)} sub-testsets are there{missing}")


def _advance(bar, task, name: str, done: int) -> None:
    bar.update(task, advance=done, description=name)


def size_text(size: int | None) -> str:
    """`1536` -> `1.5 kB`; None is unknown."""
    if size is None:
        return "unknown"
    number, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"


def _line(name: str, size: str, folder) -> None:
    stdout().print(f"{name:34}{size:>10}  {folder}", markup=False, soft_wrap=True)


def _progress_bar():
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=10),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=stderr(),
        transient=True,
        disable=not stderr().is_terminal,
    )
