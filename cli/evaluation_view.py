"""An evaluation as tables for a terminal of 80 columns; the paper's figures stand apart from ours."""

from __future__ import annotations

import math
from string import ascii_uppercase

from npr_keras.report.tables import half_width, per_cent, set_label
from npr_keras_cli.console import stdout, wrapped

SIDE_BY_SIDE = 4  # detectors that fit beside each other; of more, only the means are shown


def show_evaluation(report: dict) -> None:
    """Prints a report's tables: of one detector in full, of several side by side.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
    """
    models = report["models"]
    if len(models) == 1:
        _one(models[0])
    else:
        letters = dict(zip(_marks(len(models)), models, strict=True))
        for letter, model in letters.items():
            stdout().print(f"{letter}  {model['model']}", markup=False, soft_wrap=True)
        stdout().print()
        if len(models) <= SIDE_BY_SIDE:
            _beside(models, letters)
        else:
            _means(models)
    _notes(report)


def _marks(count: int) -> list[str]:
    return list(ascii_uppercase[:count]) if count <= 26 else [str(n) for n in range(1, count + 1)]


def _one(model: dict) -> None:
    rows = model["sets"]
    quoted = any(row["paper"] for row in rows)
    calibrated = model["threshold"] is not None
    names = ["real_accuracy", "fake_accuracy"]
    names += [] if quoted else ["auc"]
    names += ["calibrated_accuracy"] if calibrated else []
    names.append("best_accuracy")
    table = _new_table()
    table.add_column("set", overflow="fold", ratio=1)
    heads = {"real_accuracy": "real", "fake_accuracy": "fake", "auc": "AUC"}
    heads |= {"calibrated_accuracy": "cal", "best_accuracy": "best*"}
    counts = [] if quoted else ["images"]
    for head in (*counts, "acc", "±", "AP", "±", *(heads[name] for name in names)):
        style = "dim" if head == "±" else ""
        table.add_column(head, justify="right", no_wrap=True, style=style)
    _paper_columns(table, quoted)

    def add(row, **style):
        count = f"{row['real'] + row['fake']:,}" if "real" in row else ""
        cells = [count] if counts else []
        for name in ("accuracy", "average_precision"):
            cells += [per_cent(row[name]), _half(row, name)]
        cells += [per_cent(row[name]) for name in names]
        table.add_row(_text(_label(row)), *cells, *_paper(row, quoted), **style)

    _rows_and_means(table, [model], add)
    stdout().print(table)


def _beside(models: list[dict], letters: dict) -> None:
    quoted = any(row["paper"] for row in models[0]["sets"]) and len(models) < SIDE_BY_SIDE
    table = _new_table()
    table.add_column("set", overflow="fold", ratio=1)
    for letter in letters:
        table.add_column(f"{letter}: acc", justify="right", no_wrap=True)
        table.add_column("AP", justify="right", no_wrap=True)
    _paper_columns(table, quoted)

    def add(*rows, **style):
        figures = [
            per_cent(row[name]) for row in rows for name in ("accuracy", "average_precision")
        ]
        table.add_row(_text(_label(rows[0])), *figures, *_paper(rows[0], quoted), **style)

    _rows_and_means(table, models, add)
    stdout().print(table)


def _rows_and_means(table, models: list[dict], add) -> None:
    """Sets under their suites, each with its mean, then the mean over all and the pooled images."""
    suites = models[0]["suites"]
    titled = len(suites) > 1
    for title in suites:
        if title and titled:
            table.add_row(_text(title), style="bold")
        for rows in zip(*(model["sets"] for model in models), strict=True):
            if rows[0]["suite"] == title:
                add(*rows)
        if title and titled:
            add(*(model["suites"][title] for model in models), style="bold")
            table.add_section()
    if len(models[0]["sets"]) > 1:
        table.add_section()
        add(*(model["mean"] for model in models), style="bold")
        add(*({"set": "all images pooled", **model["pooled"]} for model in models))


def _means(models: list[dict]) -> None:
    table = _new_table()
    table.add_column("")
    table.add_column("detector", overflow="fold", ratio=1)
    names = ("accuracy", "average_precision", "real_accuracy", "fake_accuracy", "auc")
    for head in ("acc", "AP", "real", "fake", "AUC"):
        table.add_column(head, justify="right", no_wrap=True)
    for letter, model in zip(_marks(len(models)), models, strict=True):
        figures = [per_cent(model["mean"][name]) for name in names]
        table.add_row(letter, _text(model["name"]), *figures)
    stdout().print(table)
    sets = models[0]["mean"]["sets"]
    stdout().print(f"\nMeans over {sets} sets; set by set: --csv, --json or --report.", style="dim")


def _new_table():
    from rich import box
    from rich.table import Table

    # No padding: the columns' separators are blanks, and 80 columns have to do.
    return Table(
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )


def _paper_columns(table, quoted: bool) -> None:
    if quoted:
        table.add_column(" paper: acc", justify="right", style="dim", no_wrap=True)
        table.add_column("  AP", justify="right", style="dim", no_wrap=True)


def _paper(row: dict, quoted: bool) -> list[str]:
    paper = row.get("paper") or {}
    names = ("accuracy", "average_precision") if quoted else ()
    return [per_cent(paper[name]) if paper else "" for name in names]


def _label(row: dict) -> str:
    return f"mean of {row['sets']} sets" if "sets" in row else set_label({"classes": (), **row})


def _text(text: str):
    from rich.text import Text

    return Text(text)  # a name is not markup


def _half(row: dict, name: str) -> str:
    half = half_width(row, name)
    return "" if half is None else f"{100 * half:.1f}"


def _notes(report: dict) -> None:
    rows = [row for model in report["models"] for row in model["sets"]]
    protocols = ", ".join(dict.fromkeys(row["protocol"] for row in rows))
    lines = [f"Per cent. Accuracy at logit 0; pixels: {protocols}."]
    if len(report["models"]) == 1:
        lines.append(
            "±: half of the 95 % bootstrap interval. best*: at the threshold that suits each"
        )
        lines.append("set best, which no one knows who does not know the labels.")
        threshold = report["models"][0]["threshold"]
        if threshold is not None:
            source = report["calibrated_on"] or "as it is stored with the detector"
            lines.append(f"cal: at logit {threshold:.3f}, {source}.")
    if any(row["paper"] for row in rows) and len(report["models"]) < SIDE_BY_SIDE:
        lines.append("paper: NPR as published by Tan et al., CVPR 2024; quoted. Its means are")
        lines.append("over the same sets.")
    for model in report["models"]:
        if model["notice"]:
            lines.append(f"{model['name']}: {model['notice']}")
    if any(math.isnan(row["average_precision"]) for row in rows):
        lines.append("– undefined: needs both real and generated images.")
    for line in ("", *lines):
        stdout().print(wrapped(line), style="dim", markup=False, soft_wrap=True)
