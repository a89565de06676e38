"""Simulation as a person watches it: a bar while it goes on, a table of what came out."""

from __future__ import annotations

import contextlib
from pathlib import Path

from npr_keras_cli.backend import import_tensorflow_quietly
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
            say("\nInterrupted. What was made is kept; the same command goes on with it.")
            raise SystemExit(1) from None


def made_simulated(part: str) -> tuple[Path, dict[str, dict]]:
    """The folder and reports of the simulated source or suite; says so where it is made first.

    Args:
        part: `"source"` or `"suite"`.
    """
    from npr_keras.simulation.named import is_made, simulated_folder

    if not is_made(part):
        say(f"The simulated {part} is made now, once, in\n  {simulated_folder(part)}")
    import_tensorflow_quietly()
    from npr_keras.simulation.named import make_simulated

    with simulation_bar() as show:
        return make_simulated(part, show)


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


def run_simulation(out: str, config) -> dict[str, dict]:
    """Makes one simulation in a folder of the user's; its report by the folder's name."""
    import_tensorflow_quietly()
    from npr_keras.simulation.simulate import simulate
    from npr_keras_cli.console import warn_left_out

    with simulation_bar() as show:
        report = simulate(out, config, show)
    warn_left_out(report["left_out"], "")
    say(f"Made: {out}")
    return {config.upsampler: report}
