"""An ablation to look at: differences, their intervals, every seed."""

from __future__ import annotations

import os

from npr_keras.ablation.tables import has_published, short, where_from
from npr_keras.evaluation.differences import FIGURES
from npr_keras.packages import require
from npr_keras.report.charts import figure, plain_text, save

_SHOWN, _NOT_SHOWN, _PUBLISHED = "#1f5fbf", "0.55", "#b3541e"


def write_figure(result: dict, path: str | os.PathLike) -> None:
    """Draws the differences to the default, a panel each for accuracy and AP: points, their
    intervals, every seed, and, apart, what was published.

    Args:
        result: See `npr_keras.ablation.result.ablation_result`.
        path: Ends in .png or .svg.

    Raises:
        MissingPackageError: If Matplotlib is not installed.
    """
    require("A figure", "matplotlib")
    save(_drawn(result), path)


@plain_text
def _drawn(result: dict):
    rows = [v for v in result["variants"] if v["figures"]]
    default = next((v for v in rows if v["is_default"]), None)
    drawing = figure(8, 1.8 + 0.34 * len(rows))
    panels = drawing.subplots(1, 2, sharey=True)
    for panel, name, title in zip(panels, FIGURES, ("accuracy", "AP"), strict=True):
        panel.axvline(0, color="0.6", linewidth=1)
        for place, row in enumerate(rows):
            _draw_difference(panel, place, row, name)
            if row["paper"] and default and default["paper"] and row is not default:
                published = 100 * (row["paper"][name] - default["paper"][name])
                panel.plot(published, place, "x", color=_PUBLISHED, markersize=6)
        panel.set_xlabel(f"{title}: points above {short(result['default'], 24)}")
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    names = [short(row["name"], 40) for row in rows]
    panels[0].set_yticks(range(len(rows)), names)
    panels[0].invert_yaxis()
    done = f"; {result['done']} of {result['runs']} runs" * (result["done"] < result["runs"])
    title = f"{short(result['grid'], 24)}. {short(where_from(result), 60)}{done}"
    drawing.suptitle(title, fontsize="medium")
    drawing.legend(
        handles=_legend(has_published(result)),
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    return drawing


def _draw_difference(panel, place: int, row: dict, name: str) -> None:
    """An interval, its middle, and each seed; a diamond for the default, nothing without a pair."""
    if row["is_default"]:
        panel.plot(0, place, "D", color="black", markersize=6)
    found = row["figures"][name]["difference"]
    if found is None:
        return
    low, mean, high = (100 * found[k] for k in ("low", "mean", "high"))
    colour = _SHOWN if found["is_real"] else _NOT_SHOWN
    if len(found["of_seeds"]) > 1:
        panel.plot([low, high], [place] * 2, color=colour, linewidth=2, solid_capstyle="butt")
        panel.plot(mean, place, "o", color=colour, markersize=6)
    seeds = [100 * one for one in found["of_seeds"]]
    panel.plot(seeds, [place + 0.25] * len(seeds), "|", color=colour, markersize=5)


def _legend(paper: bool) -> list:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=_SHOWN, marker="o", label="95 % interval over seeds and images"),
        Line2D([], [], color=_NOT_SHOWN, marker="o", label="the same, with 0 inside"),
        Line2D([], [], color=_SHOWN, marker="|", linestyle="", label="each seed"),
    ]
    published = Line2D([], [], color=_PUBLISHED, marker="x", linestyle="",
                       label="published, of other images (Tan et al., Table 7)")  # fmt: skip
    return [*entries, published] if paper else entries
