"""A report to files, by their endings."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from npr_keras.evaluation.published import QUOTED
from npr_keras.report.latex import latex_tables
from npr_keras.report.markdown import markdown_tables
from npr_keras.report.text import check_path, csv_text, json_text, write_by_ending

if TYPE_CHECKING:
    from npr_keras.evaluation.report import Evaluation

FORMATS = (".html", ".md", ".tex", ".csv", ".json")


def write_report(report: dict, evaluations: Sequence[Evaluation], path: str | os.PathLike) -> None:
    """Writes a report, atomically.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
        evaluations: What it was built from; the page shows images and scores of it.
        path: The file. Its ending decides: `.html`, one page with charts that needs nothing
            beside it; `.md` and `.tex`, tables; `.csv`, a row for each set and detector; `.json`.

    Raises:
        ConfigError, MissingPackageError: See `npr_keras.report.text.check_path`.
    """
    check_path(path, FORMATS, "A report")

    def page() -> str:
        from npr_keras.report.page import html_page

        return html_page(report, evaluations)

    write_by_ending(
        path,
        {
            ".html": page,
            ".md": lambda: markdown_tables(report),
            ".tex": lambda: latex_tables(report),
            ".csv": lambda: csv_report(report),
            ".json": lambda: json_text(report),
        },
    )


def csv_report(report: dict) -> str:
    """A row for each detector and set, then the detector's means and pooled figures."""
    rows = []
    for model in report["models"]:
        rows += [{"model": model["name"], "sets": "", **flat(row)} for row in model["sets"]]
        for title, mean in model["suites"].items():
            if title:
                rows.append({"model": model["name"], "suite": title, "set": "(mean)", **flat(mean)})
        rows.append({"model": model["name"], "set": "(mean)", **flat(model["mean"])})
        rows.append({"model": model["name"], "set": "(pooled)", **model["pooled"]})
    return csv_text(rows)


def flat(row: dict) -> dict:
    """A row without what is nested in it: intervals and published figures get names of their own."""
    row = dict(row)
    paper = row.pop(QUOTED, None) or {}
    intervals = row.pop("intervals", {})
    row["unreadable"] = len(row["unreadable"]) if "unreadable" in row else ""
    row["classes"] = " ".join(filter(None, row.get("classes", ())))
    for name in ("accuracy", "average_precision"):
        low, high = intervals.get(name, (math.nan, math.nan))
        row |= {f"{name}_low": low, f"{name}_high": high}
        row[f"paper_{name}"] = paper.get(name, math.nan)
    return row
