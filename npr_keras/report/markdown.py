"""A report as Markdown tables."""

from __future__ import annotations

from npr_keras.evaluation.metrics import FIGURES
from npr_keras.evaluation.published import QUOTED
from npr_keras.report.tables import (
    NOTE,
    QUOTATION,
    facts_of,
    indices_of,
    per_cent,
    set_label,
    suite_titles,
    with_interval,
)
from npr_keras.report.text import markdown_table, markdown_text


def markdown_tables(report: dict) -> str:
    """One table a suite and detector, then the means; published figures in columns of their own.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
    """
    parts = ["# Evaluation", _described(report)]
    for model in report["models"]:
        parts.append(f"## {markdown_text(model['name'])}")
        for title in suite_titles(report):
            rows = [model["sets"][i] for i in indices_of(report, title)]
            if title:
                parts.append(f"### {markdown_text(title)}")
            parts.append(_table(rows, model["suites"][title]))
        if len(model["suites"]) > 1:
            parts.append("### All suites\n")
            parts.append(_table([], model["mean"]))
    parts += [markdown_text(fact) for fact in facts_of(report)]
    parts.append(NOTE)
    if any(row[QUOTED] for row in report["models"][0]["sets"]):
        parts.append(QUOTATION)
    return "\n\n".join(parts) + "\n"


def _described(report) -> str:
    lines = [f"    {report['command']}"] if report.get("command") else []
    facts = [f"* images: SHA-256 {report['images'][:16]}"]
    facts += [
        f"* {markdown_text(m['name'])}: SHA-256 {(m['sha256'] or 'none')[:16]}, {m['backend']}"
        for m in report["models"]
    ]
    packages = ", ".join(f"{k} {v}" for k, v in report["versions"].items())
    return "\n".join([*lines, "", *facts, f"* {packages}"]).strip("\n")


def _table(rows, mean) -> str:
    quoted = any(row[QUOTED] for row in [*rows, mean])
    names = [n for n in FIGURES if n != "calibrated_accuracy" or mean[n] == mean[n]]
    heads = ["set", "real", "fake", *(FIGURES[n] for n in names)]
    heads += ["published: acc", "published: AP"] if quoted else []
    lines = []
    for row in rows:
        figures = [with_interval(row, name) for name in names]
        counts = [f"{row[n]:,}" for n in ("real", "fake")]
        lines.append([markdown_text(set_label(row)), *counts, *figures, *_paper(row, quoted)])
    figures = [f"**{per_cent(mean[name])}**" for name in names]
    label = f"**mean of {mean['sets']} sets**"
    lines.append([label, "", "", *figures, *_paper(mean, quoted)])
    return markdown_table(heads, lines)


def _paper(row, quoted) -> list[str]:
    paper = row[QUOTED] or {}
    names = ("accuracy", "average_precision") if quoted else ()
    return [f"*{per_cent(paper[n])}*" if paper else "" for n in names]
