"""Exported models as a table."""

from __future__ import annotations

from npr_keras_cli.console import stdout
from npr_keras_cli.download_view import size_text


def show_exports(made) -> None:
    """Prints what was written, and what was seen when it was run."""
    head = f"{'format':11}{'type':9}{'size':>8}{'difference':>11}{'images/s':>9}"
    judged = any(one.verified.accuracy for one in made)
    stdout().print(head + ("  acc / AP (before)" if judged else ""), style="bold")
    for one in made:
        seen = one.verified
        line = f"{one.format:11}{one.quantize:9}{size_text(one.size):>8}{seen.difference:>11.1e}"
        line += f"{seen.images_per_second:>9.1f}"
        if seen.accuracy:
            ours, theirs = zip(seen.accuracy, seen.average_precision, strict=True)
            figures = " / ".join(f"{100 * f:.1f}" for f in ours)
            line += f"  {figures} ({' / '.join(f'{100 * f:.1f}' for f in theirs)})"
        stdout().print(line, markup=False, soft_wrap=True)
    stdout().print()
    for one in made:
        stdout().print(one.path, markup=False, soft_wrap=True)
    if not made[0].calibrated:
        stdout().print(
            "\nUncalibrated: the probability is the plain sigmoid, the threshold logit 0. To calibrate:\n"
            "npr-keras calibrate, then export again.",
            style="dim",
        )
    stdout().print(
        "\ndifference: largest deviation from the detector's logit. images/s: 256 x 256\n"
        "pixels, batch of 8, on this machine.",
        style="dim",
    )
