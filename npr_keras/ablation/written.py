"""An ablation as Markdown, LaTeX, CSV, JSON; `figure.py` draws it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from pathlib import Path

from npr_keras.ablation.differences import FIGURES
from npr_keras.atomic import write_text
from npr_keras.errors import ConfigError

ENDINGS = (".md", ".tex", ".csv", ".json", ".png", ".svg")
NOTE = (
    "Mean and standard deviation over seeds, per cent, of the mean over sets. "
    "Difference: to the default, with the same seeds and images, and its 95 % interval over both; "
    "* where 0 lies outside. One seed: the interval is over images alone, and nothing is marked."
)
QUOTED = "Published: Tan et al., CVPR 2024, Table 7, quoted; trained and judged on other images."


def rows_of(result: dict) -> list[dict[str, str]]:
    """A row of text for each variant, as every table shows it."""
    rows = []
    for variant in result["variants"]:
        row = {"name": variant["name"], "seeds": str(len(variant["seeds"]))}
        for figure in FIGURES:
            found = variant["figures"].get(figure)
            row[figure] = _with_spread(found) if found else "–"
        row["difference"] = _difference(variant["figures"].get("average_precision"))
        row["difference_accuracy"] = _difference(variant["figures"].get("accuracy"))
        paper = variant["paper"]
        row["paper_acc"] = _per_cent(paper["accuracy"]) if paper else ""
        row["paper_ap"] = _per_cent(paper["average_precision"]) if paper else ""
        rows.append(row)
    return rows


def rows_by_set(result: dict, figure: str) -> list[dict[str, str]]:
    """A row of text for each variant: its name, and by set the mean and the spread of a figure."""
    return [
        {
            "name": variant["name"],
            **{
                name: _with_spread(variant["figures"][figure]["by_set"][name])
                if variant["figures"]
                else "–"
                for name in result["sets"]
            },
        }
        for variant in result["variants"]
    ]


def sets_side_by_side(result: dict, count: int = 4) -> list[list[str]]:
    """The sets' names in groups of as many as a page, or a terminal, is wide."""
    names = result["sets"]
    return [names[first : first + count] for first in range(0, len(names), count)]


def where_from(result: dict) -> str:
    """What it was trained and judged on, in a line."""
    shared = result["shared"]
    return f"trained on {shared.get('source', '?')}, judged on {shared.get('judged on', '?')}"


def settings_of(result: dict) -> str:
    """What all variants share, in a line: `epochs 4, crop 96`; "" if nothing was set."""
    shared = result["shared"]
    said = [f"{name} {value}" for name, value in shared.get("training", {}).items()]
    for part in ("detector", "representation"):
        said += [f"{part} {name} {value}" for name, value in shared.get(part, {}).items()]
    return ", ".join(said)


def check_target(path: str | os.PathLike) -> None:
    """Raises ConfigError unless a file of this name can be written: before anything is computed."""
    if Path(path).suffix not in ENDINGS:
        raise ConfigError(f"Expected a name that ends in {', '.join(ENDINGS)}. Received: {path}")
    if not Path(path).absolute().parent.is_dir():
        raise ConfigError(f"No such folder: {Path(path).parent}")


def write_result(result: dict, path: str | os.PathLike) -> None:
    """Writes an ablation in the form that the file's name ends in, one of `ENDINGS`."""
    ending = Path(path).suffix
    if ending in (".png", ".svg"):
        from npr_keras.ablation.figure import write_figure

        write_figure(result, path)
        return
    writers = {".md": markdown, ".tex": latex, ".csv": comma_separated, ".json": _json}
    write_text(path, writers[ending](result))


def markdown(result: dict) -> str:
    """A Markdown table, with what has to be known of it."""
    paper = any(row["paper"] for row in result["variants"])
    heads = ["variant", "seeds", "acc", "AP", "difference of acc", "difference of AP"]
    heads += ["published acc", "published AP"] if paper else []
    rows = []
    for row in rows_of(result):
        cells = [row[k] for k in ("name", "seeds", "accuracy", "average_precision",
                                  "difference_accuracy", "difference")]  # fmt: skip
        rows.append(cells + ([f"*{row[k]}*" for k in ("paper_acc", "paper_ap")] if paper else []))
    shared = settings_of(result)
    facts = [
        f"{where_from(result).capitalize()}.",
        f"Default: {result['default']}.",
        f"Seeds: {', '.join(map(str, result['seeds']))}.",
        *([f"For all: {shared}."] if shared else []),
        f"{result['done']} of {result['runs']} runs.",
        f"Packages: {', '.join(f'{k} {v}' for k, v in result['versions'].items())}.",
    ]
    parts = [_table(heads, rows), NOTE.replace("*", "\\*"), " ".join(facts)]
    parts += [QUOTED] if paper else []
    for figure, title in zip(FIGURES, ("Accuracy", "AP"), strict=True):
        found = [list(row.values()) for row in rows_by_set(result, figure)]
        parts += [f"{title} by set:", _table(["variant", *result["sets"]], found)]
    return "\n\n".join(parts) + "\n"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def latex(result: dict) -> str:
    """A LaTeX table (booktabs)."""
    paper = any(row["paper"] for row in result["variants"])
    heads = ["variant", "seeds", "acc", "AP", "difference of AP"]
    heads += ["published acc", "published AP"] if paper else []
    rows = []
    for row in rows_of(result):
        cells = [row[k] for k in ("name", "seeds", "accuracy", "average_precision", "difference")]
        rows.append(cells + ([row["paper_acc"], row["paper_ap"]] if paper else []))
    parts = [_tabular(heads, rows)]
    for names in sets_side_by_side(result):
        found = rows_by_set(result, "average_precision")
        parts.append(
            _tabular(
                ["AP by set", *names], [[row["name"], *(row[n] for n in names)] for row in found]
            )
        )
    notes = [where_from(result), NOTE, *([QUOTED] if paper else [])]
    return "\n".join([*parts, *(f"% {note}" for note in notes)]) + "\n"


def _tabular(heads: list[str], rows: list[list[str]]) -> str:
    """A tabular of booktabs; numbers with a minus, names with a hyphen."""
    lines = [f"\\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule"]
    lines += [" & ".join(map(_escaped, heads)) + r" \\", r"\midrule"]
    for name, *cells in rows:
        numbers = (_escaped(cell).replace("-", "$-$") if cell != "–" else "--" for cell in cells)
        lines.append(" & ".join([_escaped(name), *numbers]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def comma_separated(result: dict) -> str:
    """CSV: a row for each variant, figure and set, and for the mean over sets; fractions."""
    text = io.StringIO()
    fields = [
        "variant",
        "set",
        "figure",
        "seeds",
        "mean",
        "std",
        "difference",
        "low",
        "high",
        "paper",
    ]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for variant in result["variants"]:
        for figure, found in variant["figures"].items():
            row = {"variant": variant["name"], "figure": figure, "seeds": len(variant["seeds"])}
            for name, one in found["by_set"].items():
                writer.writerow({**row, "set": name, "mean": one["mean"], "std": one["std"]})
            difference = found["difference"] or {}
            writer.writerow(
                {
                    **row,
                    "set": "mean",
                    "mean": found["mean"],
                    "std": found["std"],
                    "difference": difference.get("mean", ""),
                    "low": difference.get("low", ""),
                    "high": difference.get("high", ""),
                    "paper": variant["paper"][figure] if variant["paper"] else "",
                }
            )
    return text.getvalue()


def _json(result: dict) -> str:
    from npr_keras.report.write import without_nan

    return json.dumps(without_nan(result), indent=2) + "\n"


def _with_spread(found: dict) -> str:
    std = found["std"]
    return _per_cent(found["mean"]) + ("" if math.isnan(std) else f" ±{100 * std:.1f}")


def _difference(found: dict | None) -> str:
    one = found and found["difference"]
    if not one:
        return ""
    mark = "*" if one["is_real"] else " "
    return f"{100 * one['mean']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]{mark}"


def _per_cent(value: float) -> str:
    return f"{100 * value:.1f}"


def _escaped(text: str) -> str:
    for character, instead in (
        ("_", r"\_"),
        ("%", r"\%"),
        ("&", r"\&"),
        ("±", r"$\pm$"),
        ("–", "--"),
    ):
        text = text.replace(character, instead)
    return text
