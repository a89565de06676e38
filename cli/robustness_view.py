"""Robustness: measured with progress, shown as a table and a figure."""

from __future__ import annotations

import json
import math

import click

from npr_keras_cli.console import progress_bar, say, stdout


def measured(predictor, records, protocol, conditions, batch_size: int, unreadable, keeper):
    """List of `Condition`; `conditions` is empty for the standard ones."""
    from npr_keras.data.perturb import STANDARD
    from npr_keras.evaluation.robustness import measure_robustness

    conditions = conditions or STANDARD
    with progress_bar() as bar:
        task = bar.add_task("", total=len(records) * len(conditions), note="")
        return measure_robustness(
            predictor,
            records,
            protocol,
            conditions,
            predictor.profile.calibration_for(protocol).threshold,
            batch_size,
            unreadable,
            lambda name, done: bar.update(task, advance=done, description=name),
            keeper,
        )


def merged(stored, found) -> tuple:
    """What is stored from now on: new figures in the place of old ones of the same condition."""
    new = {(c.kind, c.amount, c.protocol) for c in found}
    kept = [
        c
        for c in stored
        if (c.kind, c.amount, c.protocol) not in new
        and (c.protocol != found[0].protocol or c.threshold == found[0].threshold)
    ]
    return (*kept, *found)


def show_robustness(found, form: str | None, stored_in: str | None) -> None:
    """Prints what was measured."""
    if form == "json":
        from npr_keras.report.write import without_nan

        rows = [without_nan(condition.to_dict()) for condition in found]
        click.echo(json.dumps(rows, indent=2))
    elif form == "csv":
        from npr_keras.report.write import csv_text

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
