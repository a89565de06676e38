"""Robustness: measured with progress, shown as a table and a figure."""

from __future__ import annotations

import math

import click

from npr_keras_cli.console import say, stdout


def show_robustness(found, form: str | None, stored_in: str | None) -> None:
    """Prints what was measured."""
    if form == "json":
        from npr_keras.report.text import json_text

        click.echo(json_text([condition.to_dict() for condition in found]), nl=False)
    elif form == "csv":
        from npr_keras.report.text import csv_text

        click.echo(csv_text([condition.to_dict() for condition in found]), nl=False)
    else:
        _table(found)
    if stored_in:
        say(f"Stored in {stored_in}: predict's verdicts use it.")


def _table(found) -> None:
    from npr_keras.evaluation.robustness import condition_name

    stdout().print(f"{'condition':16}{'bal acc':>8}{'AP':>7}{'real':>7}{'fake':>7}", style="bold")
    for one in found:
        balanced = (one.real_accuracy + one.fake_accuracy) / 2
        figures = (balanced, one.average_precision, one.real_accuracy, one.fake_accuracy)
        cells = "".join(
            f"{_per_cent(value):>{width}}"
            for value, width in zip(figures, (8, 7, 7, 7), strict=True)
        )
        stdout().print(f"{condition_name(one.kind, one.amount):16}{cells}", markup=False)
    images = max(one.images for one in found)
    stdout().print(
        f"\nPer cent, over {images:,} images; pixels: {found[0].protocol}. jpeg, webp: quality; resize:\n"
        "factor; blur: standard deviation in pixels; noise: in grey levels; crop: side.",
        style="dim",
    )


def _per_cent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def draw(found, path: str) -> None:
    """Writes the figure."""
    from npr_keras.report.charts import robustness_chart, save

    save(robustness_chart(found), path)
