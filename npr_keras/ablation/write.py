"""An ablation to files: Markdown, LaTeX, CSV, JSON; `figure.py` draws it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from npr_keras.ablation.tables import (
    NOTE,
    QUOTED,
    facts_of,
    has_published,
    packages_of,
    rows_by_set,
    rows_of,
    sets_side_by_side,
)
from npr_keras.evaluation.differences import FIGURES
from npr_keras.report.text import (
    DRAWN,
    csv_text,
    json_text,
    latex_line,
    latex_number,
    latex_table,
    latex_text,
    markdown_table,
    markdown_text,
    write_by_ending,
)

ENDINGS = (".md", ".tex", ".csv", ".json", *DRAWN)


def write_result(result: dict, path: str | os.PathLike) -> None:
    """Writes an ablation in the form that the file's name ends in, one of `ENDINGS`."""
    if Path(path).suffix.lower() in DRAWN:
        from npr_keras.ablation.figure import write_figure

        write_figure(result, path)
        return
    forms = {".md": markdown, ".tex": latex, ".csv": comma_separated, ".json": json_text}
    write_by_ending(path, {k: functools.partial(form, result) for k, form in forms.items()})


def markdown(result: dict) -> str:
    """Markdown tables, with what has to be known of them."""
    names, heads = _columns(result)
    rows = [
        [markdown_text(row["name"]), *(_markdown_cell(row, name) for name in names)]
        for row in rows_of(result)
    ]
    parts = [
        markdown_table(heads, rows),
        *map(markdown_text, [NOTE, *([QUOTED] if has_published(result) else [])]),
        " ".join(map(markdown_text, facts_of(result))),
        markdown_text(packages_of(result)),
    ]
    for figure, title in zip(FIGURES, ("Accuracy", "AP"), strict=True):
        rows = [
            [markdown_text(cell) for cell in row.values()] for row in rows_by_set(result, figure)
        ]
        heads = ["variant", *map(markdown_text, result["sets"])]
        parts += [f"{title} by set:", markdown_table(heads, rows)]
    return "\n\n".join(parts) + "\n"


def latex(result: dict) -> str:
    """LaTeX tables (booktabs), with what has to be known of them as comments."""
    names, heads = _columns(result)
    rows = [[row["name"], *(row[name] for name in names)] for row in rows_of(result)]
    parts = [_tabular(heads, rows)]
    for sets in sets_side_by_side(result):
        found = rows_by_set(result, "average_precision")
        rows = [[row["name"], *(row[name] for name in sets)] for row in found]
        parts.append(_tabular(["AP by set", *sets], rows))
    notes = [*facts_of(result), packages_of(result), NOTE]
    notes += [QUOTED] if has_published(result) else []
    return "\n".join([*parts, *(f"% {' '.join(note.split())}" for note in notes)]) + "\n"


def comma_separated(result: dict) -> str:
    """CSV: a row for each variant, figure and set, and for the mean over sets, which has no set's
    name; fractions. Variants of which nothing is done have a row, too."""
    rows = []
    for variant in result["variants"]:
        head = {"variant": variant["name"], "set": "", "figure": "", "seeds": len(variant["seeds"])}
        failed = " ".join(map(str, variant["failures"]))
        empty = dict.fromkeys(("mean", "std", "difference", "low", "high", "pairs", "paper"), "")
        if not variant["figures"]:
            rows.append({**head, **empty, "failed_seeds": failed})
        for figure, found in variant["figures"].items():
            row = {**head, "figure": figure, **empty, "failed_seeds": failed}
            rows += [{**row, "set": name, **one} for name, one in found["by_set"].items()]
            row |= {"mean": found["mean"], "std": found["std"]}
            if found["difference"]:
                one = found["difference"]
                row |= {"difference": one["mean"], "low": one["low"], "high": one["high"]}
                row["pairs"] = len(one["of_seeds"])
            rows.append(row | ({"paper": variant["paper"][figure]} if variant["paper"] else {}))
    return csv_text(rows)


def _columns(result: dict) -> tuple[list[str], list[str]]:
    """What the main table shows after the name: keys of `rows_of`, and all columns' heads."""
    names = ["seeds", *FIGURES, *(f"{figure}_difference" for figure in FIGURES)]
    heads = ["variant", "seeds", "acc", "AP", "difference of acc", "difference of AP"]
    if has_published(result):
        names += [f"{figure}_paper" for figure in FIGURES]
        heads += ["published acc", "published AP"]
    return names, heads


def _markdown_cell(row: dict[str, str], name: str) -> str:
    """What is published stands in italics."""
    text = markdown_text(row[name].strip())
    return f"*{text}*" if text and name.endswith("_paper") else text


def _tabular(heads: list[str], rows: list[list[str]]) -> str:
    # {}: a name in brackets is no option of \\midrule.
    lines = [latex_line(["{}" + latex_text(n), *map(latex_number, cells)]) for n, *cells in rows]
    columns = "l" + "r" * (len(heads) - 1)
    return "\n".join(latex_table(columns, [latex_line(list(map(latex_text, heads)))], lines)) + "\n"
