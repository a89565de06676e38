"""An ablation as rows of text, and what has to be known of it: what every form of it shows."""

from __future__ import annotations

import math

from npr_keras.evaluation.differences import FIGURES

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
