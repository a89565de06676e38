"""What all written tables share: figures as text, and rows in the order of the report."""

from __future__ import annotations

import math

from npr_keras.evaluation.published import mean_of_sets, published_figures

_FIGURES = ("accuracy", "average_precision")
UNDEFINED = "–"
NOTE = (
    "Per cent. acc: accuracy at logit 0. AP: average precision, generated being positive. "
    "±: half of the 95 % bootstrap interval over images. cal acc: at a threshold found on other "
    "images. best acc: at the best threshold for these very images, an oracle that no one has who "
    "does not know the labels. Means are over sets, unweighted."
)
QUOTATION = "Published: Tan et al., CVPR 2024, quoted from its tables, not measured here."


def facts_of(report: dict) -> list[str]:
    """What a reader has to know of a report beside its figures, a sentence each."""
    rows = [row for model in report["models"] for row in model["sets"]]
    facts = [f"Pixels: {', '.join(dict.fromkeys(row['protocol'] for row in rows))}."]
    for model in report["models"]:
        if model["threshold"] is not None:
            source = report.get("calibrated_on") or "as it is stored with the detector"
            facts.append(
                f"cal acc of {model['name']}: at logit {model['threshold']:.3f}, {source}."
            )
    if report.get("missing"):
        facts.append(f"Missing, so that means are over fewer sets: {', '.join(report['missing'])}.")
    return facts


def per_cent(value: float) -> str:
    """`0.9731` -> `97.3`; what is not defined is a dash."""
    return UNDEFINED if value is None or math.isnan(value) else f"{100 * value:.1f}"


def with_interval(row: dict, name: str) -> str:
    """`97.3 ±1.2`, where the row has an interval."""
    value = per_cent(row[name])
    half = half_width(row, name)
    return value if half is None else f"{value} ±{100 * half:.1f}"


def half_width(row: dict, name: str) -> float | None:
    """Half of the interval of a figure; None where there is none."""
    low, high = row.get("intervals", {}).get(name, (math.nan, math.nan))
    return None if math.isnan(low) or math.isnan(high) else (high - low) / 2


def comparison_rows(report: dict, title: str) -> list[dict]:
    """Detectors on a suite, one below the other: those published on all of its sets, then ours.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
        title: The suite's.

    Returns:
        Rows of text: "name", "published" (whether it is quoted), "accuracy", "average_precision",
        and their differences to the first of ours, under "accuracy_difference" and so on.
    """
    names = [(title, report["models"][0]["sets"][i]["set"]) for i in indices_of(report, title)]
    rows = []
    for method, figures in published_figures().items():
        if all(key in figures for key in names):
            means = mean_of_sets({key: figures[key] for key in names})
            cells = dict(zip(_FIGURES, (f"{value:.1f}" for value in means), strict=True))
            rows.append({"name": method, "published": True, **cells})
    for model in report["models"]:
        row = {"name": model["name"], "published": False}
        for figure in _FIGURES:
            row[figure] = per_cent(model["suites"][title][figure])
            found = model["differences"].get(title)
            row[f"{figure}_difference"] = difference_text(*found[figure]) if found else ""
        rows.append(row)
    return rows


def difference_text(mean: float, low: float, high: float) -> str:
    """`+1.2 [+0.3, +2.2]*`, the star where 0 lies outside."""
    if math.isnan(mean):
        return UNDEFINED
    star = "*" if low > 0 or high < 0 else " "
    return f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]{star}"


def set_label(row: dict) -> str:
    """The set's name, and what was pooled in it."""
    classes = len(row["classes"])
    return f"{row['set']} ({classes} classes)" if classes > 1 else row["set"]


def suite_titles(report: dict) -> list[str]:
    """Titles of the suites, in order; `""` stands for sets of no suite."""
    return list(report["models"][0]["suites"])


def indices_of(report: dict, title: str) -> list[int]:
    """The places of a suite's rows in each model's "sets"."""
    rows = report["models"][0]["sets"]
    return [i for i, row in enumerate(rows) if row["suite"] == title]
