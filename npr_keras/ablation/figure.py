"""An ablation to look at: differences, their intervals, every seed."""

from __future__ import annotations

import os
from pathlib import Path

from npr_keras.ablation.differences import FIGURES
from npr_keras.ablation.written import where_from
from npr_keras.atomic import replacing
from npr_keras.errors import MissingPackageError

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
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError('Figures need pip install "npr-keras[ablate]"') from error
    rows = [v for v in result["variants"] if v["figures"]]
    default = next((v for v in rows if v["name"] == result["default"]), None)
    figure = Figure(figsize=(8, 1.8 + 0.34 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, name, title in zip(panels, FIGURES, ("accuracy", "AP"), strict=True):
        panel.axvline(0, color="0.6", linewidth=1)
        for place, row in enumerate(rows):
            _draw_difference(panel, place, row["figures"][name]["difference"])
            if row["paper"] and default and row is not default:
                published = 100 * (row["paper"][name] - default["paper"][name])
                panel.plot(published, place, "x", color=_PUBLISHED, markersize=6)
        panel.set_xlabel(f"{title}: points above {result['default']}")
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [row["name"] for row in rows])
    panels[0].invert_yaxis()
    figure.suptitle(f"{result['grid']}: {where_from(result)}", fontsize="medium")
    figure.legend(
        handles=_legend(any(row["paper"] for row in rows)),
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix[1:], dpi=150)


def _draw_difference(panel, place: int, found: dict | None) -> None:
    """An interval, its middle, and each seed; a diamond for the default."""
    if found is None:
        panel.plot(0, place, "D", color="black", markersize=6)
        return
    low, mean, high = (100 * found[k] for k in ("low", "mean", "high"))
    colour = _SHOWN if found["is_real"] else _NOT_SHOWN
    panel.plot([low, high], [place, place], color=colour, linewidth=2)
    panel.plot(mean, place, "o", color=colour, markersize=6)
    seeds = [100 * one for one in found["of_seeds"]]
    panel.plot(seeds, [place + 0.25] * len(seeds), "|", color=colour, markersize=5)


def _legend(paper: bool) -> list:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=_SHOWN, marker="o", label="95 % interval over seeds and images"),
        Line2D([], [], color=_NOT_SHOWN, marker="o", label="the same; 0 inside, or one seed"),
        Line2D([], [], color=_SHOWN, marker="|", linestyle="", label="each seed"),
    ]
    published = Line2D([], [], color=_PUBLISHED, marker="x", linestyle="",
                       label="published, of other images (Tan et al., Table 7)")  # fmt: skip
    return [*entries, published] if paper else entries
