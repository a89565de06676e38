"""Charts of an evaluation as SVG, by matplotlib; no window, no global state."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Sequence

import numpy as np

from npr_keras.atomic import replacing, write_text
from npr_keras.evaluation.calibrate import Bin, expected_calibration_error
from npr_keras.evaluation.evaluate import SetResult
from npr_keras.evaluation.metrics import FIGURES
from npr_keras.evaluation.published import METHOD, published_figures
from npr_keras.profile import Condition

# Colours that people with any colour vision tell apart (Okabe and Ito, "Color Universal Design").
REAL_COLOUR, FAKE_COLOUR = "#0072b2", "#d55e00"
MODEL_COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")
_GREY = "#b0b0b0"


def plain_text(draw: Callable):
    """For what draws: names are no formulas, whatever dollar signs are in them."""

    @functools.wraps(draw)
    def drawn(*args, **options):
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}):
            return draw(*args, **options)

    return drawn


def figure(width: float, height: float):
    """An empty matplotlib figure, inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def svg(drawing) -> str:
    """A figure as SVG text, the same every time."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "npr-keras"}):
        drawing.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


@plain_text
def sets_chart(report: dict, title: str, name: str):
    """One figure of each set of a suite, with its interval, among the published methods.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
        title: The suite's title.
        name: "accuracy" or "average_precision".

    Returns:
        A matplotlib figure.
    """
    models = report["models"]
    rows = [[r for r in model["sets"] if r["suite"] == title] for model in models]
    height = 0.26 + 0.1 * max(0, len(models) - 2)
    drawing = figure(5.4, 1.15 + height * (len(rows[0]) + 1))
    axes = drawing.subplots()
    places = np.arange(len(rows[0]))
    step = 0.5 / max(1, len(models) - 1) if len(models) > 1 else 0.0
    _published_points(axes, [row["set"] for row in rows[0]], title, name, places)
    for i, (model, own) in enumerate(zip(models, rows, strict=True)):
        colour = MODEL_COLOURS[i % len(MODEL_COLOURS)]
        shifted = places + (i - (len(models) - 1) / 2) * step
        values = 100 * np.array([row[name] for row in own])
        ends = 100 * np.array([row["intervals"][name] for row in own])
        axes.hlines(shifted, ends[:, 0], ends[:, 1], color=colour, linewidth=1.6)
        axes.plot(
            values, shifted, "o", color=colour, markersize=5, label=_label(model["name"]), zorder=4
        )
    axes.set_yticks(places, [_short(row["set"]) for row in rows[0]])
    axes.set_ylim(len(places) - 0.4, -0.6)
    lowest = min(axes.get_xlim()[0], 48)
    axes.set_xlim(max(-2, lowest), 101.5)
    axes.axvline(50, color=_GREY, linewidth=0.8, linestyle=":")
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.set_xlabel(f"{'accuracy' if name == 'accuracy' else FIGURES[name]}, per cent")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8, borderpad=0
    )
    return drawing


def _published_points(axes, names: list[str], title: str, name: str, places) -> None:
    column = 0 if name == "accuracy" else 1
    label = "other methods, published"
    for method, figures in published_figures().items():
        points = [(figures[(title, n)][column], y) for n, y in zip(names, places, strict=True)
                  if (title, n) in figures]  # fmt: skip
        if not points:
            continue
        if method == METHOD:
            axes.plot(*zip(*points, strict=True), "D", markerfacecolor="none", zorder=3,
                      markeredgecolor="#555555", markersize=7, label=f"{METHOD}, published")  # fmt: skip
        else:
            axes.plot(*zip(*points, strict=True), "|", color=_GREY, markersize=8, label=label)
            label = ""  # one entry of the legend is enough


@plain_text
def score_histogram(result: SetResult, threshold: float | None = None, limit: float = 10):
    """How the logits of real and generated images lie.

    Args:
        result: A set's.
        threshold: A calibrated logit to mark beside 0, if any.
        limit: Logits further from 0 than this count at the edge.
    """
    drawing = figure(2.9, 1.7)
    axes = drawing.subplots()
    edges = np.linspace(-limit, limit, 41)
    labels = np.array([record.label for record in result.records])
    for label, colour, name in ((0, REAL_COLOUR, "real"), (1, FAKE_COLOUR, "generated")):
        logits = result.logits[(labels == label) & ~np.isnan(result.logits)]
        if len(logits):
            shares = np.full(len(logits), 100 / len(logits))
            axes.hist(np.clip(logits, -limit, limit), edges, weights=shares, color=colour, alpha=0.6,
                      label=name)  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=0.8, linestyle="--")
    axes.set_xlim(-1.03 * limit, 1.03 * limit)
    axes.set_yticks([])
    axes.set_xticks([-limit, -limit / 2, 0, limit / 2, limit])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_title(_short(result.name), fontsize=9, loc="left")
    return drawing


def _label(name: str) -> str:
    """matplotlib leaves names that begin with _ out of legends: a mark without width before them."""
    return f"\u200b{name}" if name.startswith("_") else name


def _short(name: str, limit: int = 30) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def reliability_diagram(before: list[Bin], after: list[Bin]):
    """How often images of some probability are generated, before and after calibration.

    Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, Figure 1.

    Args:
        before, after: See `npr_keras.evaluation.calibrate.reliability`.

    Returns:
        A matplotlib figure.
    """
    drawing = figure(7.2, 3.9)
    panels = drawing.subplots(2, 2, sharex=True, height_ratios=(3, 1))
    for column, (title, rows) in enumerate((("before", before), ("after", after))):
        upper, lower = panels[:, column]
        full = [row for row in rows if row.images]
        centres = [(row.low + row.high) / 2 for row in rows]
        width = rows[0].high - rows[0].low
        upper.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
        upper.plot(
            [row.probability for row in full],
            [row.generated for row in full],
            "o-",
            color=FAKE_COLOUR,
            markersize=5,
        )
        error = 100 * expected_calibration_error(rows)
        upper.set_title(f"{title}: calibration error {error:.1f} %", fontsize=10, loc="left")
        upper.set_ylim(-0.03, 1.03)
        lower.bar(centres, [row.images for row in rows], 0.9 * width, color=REAL_COLOUR)
        lower.set_xlim(0, 1)
        lower.set_xlabel("probability of being generated", fontsize=9)
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8)
    panels[0, 0].set_ylabel("fraction generated", fontsize=9)
    panels[1, 0].set_ylabel("images", fontsize=9)
    return drawing


def robustness_chart(conditions: Sequence[Condition]):
    """What each kind of treatment does: accuracy on real and on generated images, and AP.

    Args:
        conditions: See `npr_keras.evaluation.robustness.measure_robustness`.

    Returns:
        A matplotlib figure.
    """
    kinds = [k for k in dict.fromkeys(c.kind for c in conditions) if k != "none"]
    untouched = [c for c in conditions if c.kind == "none"]
    drawing = figure(2.5 * max(1, len(kinds)), 2.9)
    panels = drawing.subplots(1, max(1, len(kinds)), sharey=True, squeeze=False)[0]
    lines = (
        ("real_accuracy", "real called real", REAL_COLOUR, "o-"),
        ("fake_accuracy", "generated called generated", FAKE_COLOUR, "s-"),
        ("average_precision", "AP", "black", "^:"),
    )
    for axes, kind in zip(panels, kinds, strict=False):
        own = sorted((c for c in conditions if c.kind == kind), key=lambda c: c.amount)
        # From little to much harm, beginning with the picture as it is, where that was measured.
        if kind in ("jpeg", "webp"):
            own.reverse()
        rows = [*untouched[:1], *own]
        names = ["as is"] * bool(untouched) + [f"{c.amount:g}" for c in own]
        for name, label, colour, style in lines:
            values = [100 * getattr(c, name) for c in rows]
            axes.plot(range(len(rows)), values, style, color=colour, markersize=4, label=label)
        axes.set_xticks(range(len(rows)), names, fontsize=8)
        axes.set_title(kind, fontsize=10, loc="left")
        axes.grid(axis="y", color="#eeeeee")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(-3, 103)
    panels[0].set_ylabel("per cent", fontsize=9)
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
                   frameon=False, fontsize=9)  # fmt: skip
    return drawing


def save(drawing, path: str | os.PathLike) -> None:
    """Writes a figure, atomically: `.svg`, or `.png` at 160 dots an inch."""
    if os.fspath(path).lower().endswith(".svg"):
        write_text(path, svg(drawing))
    else:
        with replacing(path) as temporary:
            drawing.savefig(temporary, format="png", dpi=160)
