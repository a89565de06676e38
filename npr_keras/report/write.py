"""A report to files, by their endings."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from npr_keras.atomic import write_text
from npr_keras.errors import ConfigError
from npr_keras.evaluation.published import QUOTED
from npr_keras.packages import require

if TYPE_CHECKING:
    from npr_keras.evaluation.report import Evaluation

FORMATS = (".html", ".md", ".tex", ".csv", ".json")


def check_report_path(path: str | os.PathLike) -> None:
    """Raises what would stop `write_report`, before the work that is to be reported begins.

    Raises:
        ConfigError: If the ending is none of `FORMATS`, or there is no such folder.
        MissingPackageError: If the page's extra is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"A report ends in one of {', '.join(FORMATS)}. Received: {os.fspath(path)!r}"
        )
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"No such folder: {path.parent}, for the report {path.name}")
    if path.suffix.lower() == ".html":
        require("The page", "jinja2", "matplotlib")


def write_report(report: dict, evaluations: Sequence[Evaluation], path: str | os.PathLike) -> None:
    """Writes a report, atomically.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
        evaluations: What it was built from; the page shows images and scores of it.
        path: The file. Its ending decides: `.html`, one page with charts that needs nothing
            beside it; `.md` and `.tex`, tables; `.csv`, a row for each set and detector; `.json`.

    Raises:
        ConfigError, MissingPackageError: See `check_report_path`.
    """
    check_report_path(path)
    ending = Path(path).suffix.lower()
    if ending == ".html":
        from npr_keras.report.page import html_page

        text = html_page(report, evaluations)
    elif ending == ".md":
        from npr_keras.report.markdown import markdown_tables

        text = markdown_tables(report)
    elif ending == ".tex":
        from npr_keras.report.latex import latex_tables

        text = latex_tables(report)
    elif ending == ".csv":
        text = csv_report(report)
    else:
        text = json_report(report)
    write_text(path, text)


def json_report(report: dict) -> str:
    """The report as JSON; what is not defined is null."""
    return json.dumps(without_nan(report), indent=2) + "\n"


def without_nan(value):
    """JSON has no NaN: an undefined figure becomes null."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


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


def csv_text(rows: Sequence[dict]) -> str:
    """Rows of the first one's keys; NaN, and what a row lacks, is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        empty = {k: "" for k, v in row.items() if isinstance(v, float) and math.isnan(v)}
        writer.writerow(row | empty)
    return text.getvalue()
