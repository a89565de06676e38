"""An ablation as Markdown, LaTeX, CSV, JSON; `figure.py` draws it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from npr_keras.ablation.differences import FIGURES
from npr_keras.atomic import write_text
from npr_keras.errors import ConfigError
from npr_keras.report.latex import latex_text
from npr_keras.report.markdown import markdown_text
from npr_keras.report.write import csv_text, without_nan

ENDINGS = (".md", ".tex", ".csv", ".json", ".png", ".svg")
NOTE = (
    "Mean and standard deviation over seeds, per cent, of the mean over sets. "
    "Difference: to the default, with the same seeds and images, and its 95 % interval over both; "
    "* where 0 lies outside; one interval in twenty misses by chance. One pair of seeds has no "
    "interval."
)
QUOTED = "Published: Tan et al., CVPR 2024, Table 7, quoted; trained and judged on other images."


def rows_of(result: dict) -> list[dict[str, str]]:
    """A row of text for each variant, as every table shows it."""
    rows = []
    for variant in result["variants"]:
        row = {"name": variant["name"], "seeds": str(len(variant["seeds"]))}
        for figure in FIGURES:
            row[figure] = _with_spread(variant["figures"].get(figure))
            row[f"{figure}_difference"] = _difference(variant, figure)
            paper = variant["paper"]
            row[f"{figure}_paper"] = _per_cent(paper[figure]) if paper else ""
        rows.append(row)
    return rows


def rows_by_set(result: dict, figure: str) -> list[dict[str, str]]:
    """A row of text for each variant: its name, and by set the mean and the spread of a figure."""
    rows = []
    for variant in result["variants"]:
        found = variant["figures"].get(figure, {"by_set": {}})["by_set"]
        row = {name: _with_spread(found.get(name)) for name in result["sets"]}
        rows.append({"name": variant["name"], **row})
    return rows


def short(name: str, limit: int) -> str:
    """A name in a column of so many characters."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def sets_side_by_side(result: dict, count: int = 4) -> list[list[str]]:
    """The sets' names in groups of as many as a page, or a terminal, is wide."""
    names = result["sets"]
    return [names[first : first + count] for first in range(0, len(names), count)]


def has_published(result: dict) -> bool:
    """Whether there is anything of Table 7 to quote."""
    return any(row["paper"] for row in result["variants"])


def where_from(result: dict) -> str:
    """What it was trained and judged on, in a line."""
    shared = result["shared"]
    return f"Trained on {shared['source']}, judged on {shared['judged on']}"


def facts_of(result: dict) -> list[str]:
    """What has to be known of it beside the figures, a sentence each."""
    shared = result["shared"]
    common = [f"{name} {value}" for name, value in shared["training"].items()]
    for part in ("detector", "representation"):
        common += [f"{part} {name} {value}" for name, value in shared[part].items()]
    facts = [
        f"{where_from(result)}.",
        f"Default: {result['default']}.",
        f"Seeds: {', '.join(map(str, result['seeds']))}.",
        f"For all: {', '.join(common)}." if common else "The official recipe.",
        f"{result['done']} of {result['runs']} runs.",
        f"{result['images']:,} judged images, {result['groups']:,} of them independent.",
    ]
    if result["unreadable"]:
        facts.append(f"{result['unreadable']} judged images could not be read, and are left out.")
    if result["undefined"]:
        facts.append(f"No AP, for want of both classes: {', '.join(result['undefined'])}.")
    return facts + failures_of(result)


def failures_of(result: dict) -> list[str]:
    """Which runs failed, and why, a line each."""
    return [
        f"Failed: {row['name']}, seed {seed}: {reason}"
        for row in result["variants"]
        for seed, reason in row["failures"].items()
    ]


def packages_of(result: dict) -> str:
    """What it was made with, in a line."""
    mixed = {name: " and ".join(used) for name, used in result["mixed"].items()}
    packages = ", ".join(f"{k} {v}" for k, v in {**result["versions"], **mixed}.items())
    return f"{packages}, {result['shared']['backend']} backend."


def check_target(path: str | os.PathLike) -> None:
    """Raises ConfigError unless a file of this name can be written: before anything is computed."""
    if Path(path).suffix.lower() not in ENDINGS:
        raise ConfigError(f"Expected a name that ends in {', '.join(ENDINGS)}. Received: {path}")
    if not Path(path).absolute().parent.is_dir():
        raise ConfigError(f"No such folder: {Path(path).parent}")


def write_result(result: dict, path: str | os.PathLike) -> None:
    """Writes an ablation in the form that the file's name ends in, one of `ENDINGS`."""
    ending = Path(path).suffix.lower()
    if ending in (".png", ".svg"):
        from npr_keras.ablation.figure import write_figure

        write_figure(result, path)
        return
    writers = {".md": markdown, ".tex": latex, ".csv": comma_separated, ".json": json_text}
    write_text(path, writers[ending](result))


def markdown(result: dict) -> str:
    """Markdown tables, with what has to be known of them."""
    names, heads = _columns(result)
    rows = [
        [markdown_text(row["name"]), *(_markdown_cell(row, name) for name in names)]
        for row in rows_of(result)
    ]
    parts = [
        _markdown_table(heads, rows),
        *map(markdown_text, [NOTE, *([QUOTED] if has_published(result) else [])]),
        " ".join(map(markdown_text, facts_of(result))),
        markdown_text(packages_of(result)),
    ]
    for figure, title in zip(FIGURES, ("Accuracy", "AP"), strict=True):
        rows = [
            [markdown_text(cell) for cell in row.values()] for row in rows_by_set(result, figure)
        ]
        heads = ["variant", *map(markdown_text, result["sets"])]
        parts += [f"{title} by set:", _markdown_table(heads, rows)]
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


def json_text(result: dict) -> str:
    """JSON; what is not defined is null."""
    return json.dumps(without_nan(result), indent=2) + "\n"


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


def _markdown_table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _tabular(heads: list[str], rows: list[list[str]]) -> str:
    """A tabular of booktabs; numbers with a minus, names with a hyphen."""
    lines = [f"\\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule"]
    lines += [" & ".join(map(latex_text, heads)) + r" \\", r"\midrule"]
    for name, *cells in rows:
        # {}: a name in brackets is no option of \\midrule.
        line = " & ".join(["{}" + latex_text(name), *map(_latex_number, cells)])
        lines.append(line + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_number(text: str) -> str:
    return latex_text(text).replace("-", "$-$").replace("±", r"$\pm$").replace("–", "--")


def _with_spread(found: dict | None) -> str:
    if not found or math.isnan(found["mean"]):
        return "–"
    std = found["std"]
    return _per_cent(found["mean"]) + ("" if math.isnan(std) else f" ±{100 * std:.1f}")


def _difference(variant: dict, figure: str) -> str:
    """Its middle, its ends, a star, and the number of pairs where not every seed has one."""
    one = variant["figures"].get(figure, {"difference": None})["difference"]
    if not one or math.isnan(one["mean"]):
        return ""
    pairs = len(one["of_seeds"])
    if pairs == 1:
        return f"{100 * one['mean']:+.1f} (1 pair) "
    few = f" ({pairs} pairs)" if pairs < len(variant["seeds"]) else ""
    mark = "*" if one["is_real"] else " "
    if one["low"] == one["high"] == 0:
        return f"none on any image{few} "
    return (
        f"{100 * one['mean']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]{mark}{few}"
    )


def _per_cent(value: float) -> str:
    return f"{100 * value:.1f}"
