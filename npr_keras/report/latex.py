"""A report as LaTeX, laid out as the paper's tables: methods down, sub-testsets across."""

from __future__ import annotations

from npr_keras.evaluation.published import PAPER, mean_of_sets, published_figures
from npr_keras.report.tables import facts_of, indices_of, per_cent, suite_titles
from npr_keras.report.text import latex_line, latex_number, latex_table, latex_text


def latex_tables(report: dict) -> str:
    """One `table*` a suite. Published methods above the rule, ours below it.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
    """
    tables = [_table(report, title) for title in suite_titles(report)]
    head = "% \\usepackage{booktabs,graphicx}\n"
    head += "".join(f"% {fact}\n" for fact in facts_of(report))
    if report.get("command"):
        head += f"% {report['command']}\n".replace("\n", " ").rstrip() + "\n"
    return head + "\n".join(tables)


def _table(report: dict, title: str) -> str:
    indices = indices_of(report, title)
    sets = [report["models"][0]["sets"][i] for i in indices]
    heads = [f"\\multicolumn{{2}}{{c}}{{{latex_text(row['set'])}}}" for row in sets]
    heads.append(r"\multicolumn{2}{c}{Mean}")
    rules = "".join(f"\\cmidrule(lr){{{2 * i + 2}-{2 * i + 3}}}" for i in range(len(heads)))
    quoted = _published_lines(title, [row["set"] for row in sets])
    ours = [_own_line(model, indices, title) for model in report["models"]]
    name = latex_text(title) if title else "the sets"
    count = len(sets)
    caption = f"Accuracy at logit 0 and average precision on {name} ({count} sets), in per cent."
    if quoted:
        caption += f" $^\\dagger$ As published by {PAPER}; the others measured."
    subheads = latex_line(["", *["Acc. & A.P."] * len(heads)])
    top = [latex_line(["Method", *heads]), rules, subheads]
    lines = [
        r"\begin{table*}",
        r"\centering",
        f"\\caption{{{caption}}}",
        r"\resizebox{\linewidth}{!}{%",
        *latex_table("l" + "cc" * len(heads), top, quoted, ours),
    ]
    return "\n".join(lines) + "}\n" + r"\end{table*}" + "\n"


def _published_lines(title: str, names: list[str]) -> list[str]:
    lines = []
    for method, figures in published_figures().items():
        own = {key: figures[key] for key in ((title, name) for name in names) if key in figures}
        if len(own) == len(names):  # a mean over other sets would not compare
            pairs = [*own.values(), mean_of_sets(own)]
            cells = [f"{value:.1f}" for pair in pairs for value in pair]
            lines.append(latex_line([f"{latex_text(method)}$^\\dagger$", *cells]))
    return lines


def _own_line(model: dict, indices: list[int], title: str) -> str:
    rows = [*(model["sets"][i] for i in indices), model["suites"][title]]
    cells = [per_cent(row[name]) for row in rows for name in ("accuracy", "average_precision")]
    # {}: a name in brackets is no option of \\midrule.
    return latex_line([f"{{}}{latex_text(model['name'])}", *map(latex_number, cells)])
