"""Detectors one below the other, measured beside published, suite by suite."""

from __future__ import annotations

from npr_keras.report.tables import (
    comparison_rows,
    difference_text,
    facts_of,
    indices_of,
    per_cent,
    suite_titles,
)
from npr_keras_cli.console import stdout, wrapped

_NAME, _DIFFERENCE = 21, 23  # columns: -86.6 [-92.8, -80.2]* has 21
_HEAD = f"{'':{_NAME}}{'acc':>6}{'AP':>7}" + "".join(
    f"{f'{figure}: difference':>{_DIFFERENCE - 1}} " for figure in ("acc", "AP")
)


def show_comparison(report: dict) -> None:
    """Prints a table for each suite, and one over all sets where there are several.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
    """
    titles = suite_titles(report)
    for title in titles:
        count = len(indices_of(report, title))
        name = title or "the sets"
        stdout().print(f"{name}, mean over {count}", style="bold", markup=False)
        stdout().print(_HEAD.rstrip(), style="bold")
        for row in comparison_rows(report, title):
            _line(row)
        stdout().print()
    if len(titles) > 1:
        stdout().print(f"All {len(report['models'][0]['sets'])} sets", style="bold")
        stdout().print(_HEAD.rstrip(), style="bold")
        for model in report["models"]:
            _line(_over_all(model))
        stdout().print()
    first = report["models"][0]["name"]
    notes = [
        f"Per cent. Difference: to {first}, on the same images, and its 95 % interval over images "
        "(other trainings of either would differ, too); * where 0 lies outside.",
        *facts_of(report),
    ]
    if any(row["paper"] for row in report["models"][0]["sets"]):
        notes.append("Dim: published by Tan et al., CVPR 2024, Tables 1 to 5; quoted.")
    for note in notes:
        stdout().print(wrapped(note), style="dim", markup=False, soft_wrap=True)


def _over_all(model: dict) -> dict:
    row = {"name": model["name"], "published": False}
    for figure in ("accuracy", "average_precision"):
        row[figure] = per_cent(model["mean"][figure])
        found = model["differences"].get("mean")
        row[f"{figure}_difference"] = difference_text(*found[figure]) if found else ""
    return row


def _line(row: dict) -> None:
    name = row["name"] if len(row["name"]) <= _NAME else f"{row['name'][: _NAME - 1]}…"
    text = f"{name:{_NAME}}{row['accuracy']:>6}{row['average_precision']:>7}"
    text += f"{row.get('accuracy_difference', ''):>{_DIFFERENCE}}"
    text += f"{row.get('average_precision_difference', ''):>{_DIFFERENCE}}"
    stdout().print(text.rstrip(), markup=False, style="dim" if row["published"] else "")
