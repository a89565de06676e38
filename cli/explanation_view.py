"""Explanations as lines: one for each image."""

from __future__ import annotations

from npr_keras_cli.console import stdout


def show_explanations(found) -> int:
    """Prints each pair of a prediction and its figure; returns how many could not be read."""
    unreadable = 0
    for place, (prediction, figure) in enumerate(found):
        if place == 0:  # a detector that cannot be explained says so without a table
            stdout().print("probability  verdict       figure", style="bold")
        if figure is None:
            unreadable += 1
            line = f"{'–':>11}  {'unreadable':12}  {prediction.error}"
        else:
            line = f"{prediction.probability:11.4f}  {prediction.verdict or '–':12}  {figure}"
        stdout().print(line, markup=False, soft_wrap=True)
    return unreadable
