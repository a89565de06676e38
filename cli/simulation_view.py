"""Simulation as a person watches it: a bar while it goes on, a table of what came out."""

from __future__ import annotations

import contextlib

from npr_keras_cli.console import progress_bar, say, stdout


@contextlib.contextmanager
def simulation_bar():
    """Gives a function for the progress of `npr_keras.simulation`; shown on a terminal only."""
    with progress_bar() as bar:
        task = bar.add_task("", total=None, note="")

        def show(what, done, total):
            bar.update(task, description=what, completed=done, total=total)

        try:
            yield show
        except KeyboardInterrupt:
            bar.stop()
            say("\nInterrupted. What was made is kept; the same command resumes.")
            raise SystemExit(1) from None


def show_simulations(reports: dict[str, dict]) -> None:
    """Prints what each simulation made: a table on stdout."""
    print_line = stdout().print
    print_line(
        f"{'':18} {'network':8} {'pictures':>9} {'PSNR, dB':>9}  {'sharpness AP':>12}",
        style="bold",
    )
    for head, report in reports.items():
        alone = f"{100 * report['sharpness_average_precision']:.1f}"
        for name, row in report["networks"].items():
            print_line(f"{head:18} {name:8} {row['pictures']:>9,} {row['psnr']:>9.1f}  {alone:>12}")
            head = alone = ""
    print_line(
        "\nEvery picture is there twice: real, and generated with the same content.\n"
        "Sharpness AP: how well one number for sharpness tells them apart, per cent, in\n"
        "the better direction: chance is about 57 for 40 pictures, 52 for 360.",
        style="dim",
    )
