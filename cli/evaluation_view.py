"""An evaluation as a table, or as JSON or CSV; the paper's figures stand apart from ours."""

from __future__ import annotations

import dataclasses
import json
import math

import click

from npr_keras_cli.console import stdout
from npr_keras_cli.render import csv_text, without_nan

# Figure -> the head of its column; the last two give way to the paper's figures.
COLUMNS = {
    "accuracy": "acc",
    "average_precision": "AP",
    "real_accuracy": "real acc",
    "fake_accuracy": "fake acc",
    "balanced_accuracy": "bal acc",
    "auc": "AUC",
}
PAPER = "paper"  # the key that holds published figures in a row, as fractions like ours


def show_evaluation(results, described: dict, form: str | None) -> None:
    """Prints an evaluation: a table, or JSON, or CSV.

    Args:
        results: List of `SetResult`.
        described: What was evaluated: model, data, backend.
        form: None, `"json"` or `"csv"`.
    """
    from npr_keras.evaluation.evaluate import mean_over_sets, pooled

    rows, classes = _rows(results)
    means = {
        title: {"sets": len(own), **mean_over_sets(own), PAPER: _mean_published(own)}
        for title in dict.fromkeys(r.suite for r in results)
        for own in [[r for r in results if r.suite == title]]
    }
    mean, everything = mean_over_sets(results), dataclasses.asdict(pooled(results))
    if form == "json":
        from npr_keras.evaluation.evaluate import intervals_of
        from npr_keras.versions import versions

        sets = [
            {
                **row,
                "intervals": intervals_of(r),
                "classes": names,
                "unreadable": r.unreadable,
            }
            for row, names, r in zip(rows, classes, results, strict=True)
        ]
        suites = {title: values for title, values in means.items() if title}
        report = {**described, "sets": sets, "suites": suites, "mean": mean, "pooled": everything}
        report["versions"] = versions()
        click.echo(json.dumps(without_nan(report), indent=2))
    elif form == "csv":
        flat = [_flat(row) for row in rows]
        totals = [{"set": "(mean)", **mean}, {"set": "(pooled)", **everything}]
        click.echo(csv_text([*flat, *totals]), nl=False)
    else:
        for row, names in zip(rows, classes, strict=True):
            if len(names) > 1:  # say what was pooled
                row["set"] += f" ({len(names)} classes)"
        mean[PAPER] = _mean_published(results)
        _table(rows, means, mean, everything)


def _rows(results) -> tuple[list[dict], list[list[str]]]:
    """A row of figures for each set, and the names of the classes in it."""
    rows = [
        {
            "suite": result.suite,
            "set": result.name,
            "protocol": result.protocol,
            **dataclasses.asdict(result.metrics),
            PAPER: _published(result),
        }
        for result in results
    ]
    return rows, [sorted({record.class_name for record in r.records}) for r in results]


def _published(result) -> dict | None:
    """The paper's figures for NPR on a sub-testset of its suites, as fractions."""
    from npr_keras.evaluation.published import METHOD, published_figures

    figures = published_figures()[METHOD].get((result.suite, result.name))
    return _fractions(figures) if figures else None


def _mean_published(results) -> dict | None:
    """The mean of the paper's figures over the same sub-testsets; None unless all are published."""
    from npr_keras.evaluation.published import METHOD, mean_of_sets, published_figures

    figures = published_figures()[METHOD]
    keys = [(result.suite, result.name) for result in results]
    if not all(key in figures for key in keys):
        return None
    return _fractions(mean_of_sets({key: figures[key] for key in keys}))


def _fractions(figures) -> dict:
    accuracy, average_precision = figures
    return {
        "accuracy": round(accuracy / 100, 6),
        "average_precision": round(average_precision / 100, 6),
    }


def _flat(row: dict) -> dict:
    paper = row[PAPER] or {}
    flat = {name: value for name, value in row.items() if name != PAPER}
    flat["paper_accuracy"] = paper.get("accuracy", math.nan)
    flat["paper_average_precision"] = paper.get("average_precision", math.nan)
    return flat


def _table(rows, means, mean, everything):
    from rich import box
    from rich.table import Table

    quoted = any(row[PAPER] for row in rows)
    columns = list(COLUMNS)[:4] if quoted else list(COLUMNS)
    # No padding: the columns' separators are blanks, and 80 columns have to do.
    table = Table(
        box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, header_style="bold"
    )
    table.add_column("set", overflow="fold")
    for head in ("real", "fake", *(COLUMNS[name] for name in columns)):
        table.add_column(head, justify="right", no_wrap=True)
    if quoted:
        table.add_column("  paper: acc", justify="right", style="dim", no_wrap=True)
        table.add_column("   AP", justify="right", style="dim", no_wrap=True)

    def add(row, **style):
        table.add_row(*_cells(row, columns, quoted), **style)

    for title, values in means.items():
        if title and len(means) > 1:
            table.add_row(title, style="bold")
        for row in (row for row in rows if row["suite"] == title):
            add(row)
        if title and len(means) > 1:
            add({"set": f"mean of {values['sets']} sets", **values}, style="bold")
            table.add_section()
    if len(rows) > 1:
        table.add_section()
        add({"set": f"mean of {len(rows)} sets", **mean}, style="bold")
        add({"set": "all images pooled", **everything})
    stdout().print(table)
    protocols = ", ".join(dict.fromkeys(row["protocol"] for row in rows))
    stdout().print(f"\nPer cent. Accuracy at probability 0.5; pixels: {protocols}.", style="dim")
    if quoted:
        stdout().print(
            "paper: NPR as published by Tan et al., CVPR 2024; quoted. Its means are\n"
            "over the same sets.",
            style="dim",
        )
    if any(math.isnan(row["average_precision"]) for row in rows):
        stdout().print("– undefined: needs both real and generated images.", style="dim")


def _cells(row, columns, quoted):
    from rich.text import Text

    counts = [f"{row[name]:,}" if name in row else "" for name in ("real", "fake")]
    cells = [Text(row["set"]), *counts, *(_per_cent(row[name]) for name in columns)]
    if quoted:
        paper = row.get(PAPER) or {}
        cells += [
            _per_cent(paper[name]) if paper else "" for name in ("accuracy", "average_precision")
        ]
    return cells  # Text: a name is not markup


def _per_cent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f}"
