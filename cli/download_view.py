"""Downloads: how much there is to come, progress, and what is there at the end."""

from __future__ import annotations

from npr_keras_cli.console import stderr, stdout


def show_plans(plans) -> None:
    """Prints what each `Plan` takes."""
    stdout().print(f"{'file':34}{'size':>10}  to", style="bold")
    for plan in plans:
        if plan.download.files:
            _line(f"{len(plan.files):,} single files", size_text(plan.size), plan.folder)
        for _, path, remote in () if plan.download.files else plan.files:
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
    if not all(plan.download.files for plan in plans):
        stdout().print("Unpacking needs about as much again.")
    if any(plan.done for plan in plans):
        stdout().print(
            "What was unpacked is not fetched again; to fetch it, remove the folder .downloads\n"
            "in the set's folder."
        )


def size_text(size: int | None) -> str:
    """`1536` -> `1.5 kB`; None is unknown."""
    from rich.filesize import decimal

    return "unknown" if size is None else decimal(int(size))


def _line(name: str, size: str, folder) -> None:
    stdout().print(f"{name:34}{size:>10}  {folder}", markup=False, soft_wrap=True)


def download_bar():
    """Bytes, their rate, and the time left, on a terminal."""
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
