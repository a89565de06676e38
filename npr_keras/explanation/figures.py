"""Explanations as figures, by matplotlib."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image

from npr_keras.explanation.maps import Explanation, region_edges
from npr_keras.report.charts import FAKE_COLOUR, REAL_COLOUR, figure, plain_text

RANGE = 0.1  # of the NPR maps' colours: a difference of this part of the full scale is full colour
_DIVERGING = "RdBu_r"  # red: more like a generator, blue: more like a photograph


_TITLE_COLUMNS = 110  # of the figure's width


@plain_text
def explanation_figure(explanation: Explanation, title: str, lines=(), footer: str = ""):
    """One figure of one image.

    Above: the picture, and its NPR map channel by channel (Figure 1 of the paper). Below: the
    class activation map at its own resolution, the same laid over the picture, and the logit of
    each region.

    Args:
        explanation: See `npr_keras.explanation.explain`.
        title: Above it all: the image and the verdict.
        lines: Below the title: the score, the reasons.
        footer: Below it all: the model, the date.

    Returns:
        A matplotlib figure.
    """
    height, width = explanation.pixels.shape[:2]
    below = [part for line in lines for part in textwrap.wrap(line, _TITLE_COLUMNS)]
    # Panels of the image's shape, within bounds: a panorama is not drawn as a thread.
    drawing = figure(11, 2 * 2.4 * min(1.8, max(0.55, height / width)) + 1.7 + 0.17 * len(below))
    panels = drawing.subplots(2, 4)
    head = "\n".join([_short(title, _TITLE_COLUMNS), *below])
    drawing.suptitle(head, fontsize=10, x=0.01, ha="left")
    drawing.supxlabel(footer, fontsize=7, x=0.01, ha="left", color="#555555")
    _show_picture(panels[0, 0], explanation.pixels, "image")
    _show_maps(drawing, panels[0, 1:], difference_of_pixels(explanation))

    limit = max(1e-3, float(np.abs(explanation.activation + explanation.bias).max()))
    shown = explanation.activation + explanation.bias
    heat = panels[1, 0].imshow(shown, cmap=_DIVERGING, vmin=-limit, vmax=limit)
    panels[1, 0].set_title("class activation\nits mean is the logit", fontsize=9)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    panels[1, 1].imshow(_grey(explanation.pixels), cmap="gray", vmin=0, vmax=255, extent=extent)
    panels[1, 1].imshow(
        shown, cmap=_DIVERGING, vmin=-limit, vmax=limit, alpha=0.55, extent=extent,
        interpolation="bilinear",
    )  # fmt: skip
    panels[1, 1].set_title("laid over the image", fontsize=9)
    _show_regions(panels[1, 2], explanation, limit)
    _bar(
        drawing,
        heat,
        list(panels[1, :3]),
        "logit: red, more like a generator; blue, more like a photograph",
    )
    _histogram(panels[1, 3], [("this image", difference_of_pixels(explanation), "black")])
    for axes in (*panels[0], *panels[1, :3]):
        axes.set_xticks([])
        axes.set_yticks([])
    return drawing


@plain_text
def comparison_figure(real: Explanation, fake: Explanation, titles=("real", "generated")):
    """Two pictures and what is between their NPR maps: Figure 1(e) of the paper.

    Args:
        real, fake: Of pictures of one size.
        titles: What to call them.

    Returns:
        A matplotlib figure.
    """
    drawing = figure(9.5, 6.8)
    panels = drawing.subplots(2, 3)
    maps = []
    names = [_short(title) for title in titles]
    for row, (one, name) in enumerate(zip((real, fake), names, strict=True)):
        values = difference_of_pixels(one)
        maps.append(values)
        _show_picture(panels[row, 0], one.pixels, f"{name}\nlogit {one.logit:+.2f}")
        _show_mean(panels[row, 1], values, "its NPR map, mean of R, G, B")
    apart = maps[1] - maps[0]
    title = f"second map less the first\nmean absolute difference {np.abs(apart).mean():.4f}"
    shown = _show_mean(panels[0, 2], apart, title)
    _bar(drawing, shown, list(panels[:, 1]), f"colours end at ±{RANGE:g} of the full scale")
    parts = [(names[0], maps[0], REAL_COLOUR), (names[1], maps[1], FAKE_COLOUR)]
    _histogram(panels[1, 2], [*parts, ("second less first", apart, "black")])
    for axes in (*panels[:, 0], *panels[:, 1], panels[0, 2]):
        axes.set_xticks([])
        axes.set_yticks([])
    return drawing


def _show_mean(axes, values, title):
    axes.set_title(title, fontsize=9)
    return axes.imshow(
        _sampled(values).mean(2), cmap=_DIVERGING, vmin=-RANGE, vmax=RANGE, interpolation="nearest"
    )


def _short(name: str, limit: int = 28) -> str:
    return name if len(name) <= limit else f"…{name[1 - limit :]}"


def difference_of_pixels(explanation: Explanation) -> np.ndarray:
    """The NPR map in parts of the full scale, 2 x 2 blocks, first pixel as reference: (H, W, 3).

    It is taken from the pixels, whatever the detector's own representation is: what people know
    from the paper.
    """
    height, width = (side - side % 2 for side in explanation.pixels.shape[:2])
    pixels = explanation.pixels[:height, :width].astype(np.float32) / 255
    return pixels - pixels[::2, ::2].repeat(2, 0).repeat(2, 1)


def _show_picture(axes, pixels, title):
    axes.imshow(_reduced(pixels), interpolation="nearest")
    axes.set_title(f"{title}\n{pixels.shape[1]} x {pixels.shape[0]}", fontsize=9)


def _show_maps(drawing, panels, values):
    for axes, channel, name in zip(panels, range(3), ("red", "green", "blue"), strict=True):
        shown = axes.imshow(
            _sampled(values[:, :, channel]),
            cmap=_DIVERGING,
            vmin=-RANGE,
            vmax=RANGE,
            interpolation="nearest",
        )
        axes.set_title(f"NPR, {name}", fontsize=9)
    _bar(drawing, shown, list(panels), f"NPR; colours end at ±{RANGE:g} of the full scale")


def _bar(drawing, shown, panels, label):
    bar = drawing.colorbar(shown, ax=panels, location="bottom", shrink=0.6, aspect=50, pad=0.02)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _show_regions(axes, explanation, limit):
    height, width = explanation.pixels.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(_grey(explanation.pixels), cmap="gray", vmin=0, vmax=255, extent=extent)
    rows, columns = explanation.regions.shape
    down, across = (
        region_edges(n, parts, side) - 0.5
        for n, parts, side in zip(
            explanation.activation.shape, (rows, columns), (height, width), strict=True
        )
    )
    axes.pcolormesh(
        across, down, explanation.regions, cmap=_DIVERGING, vmin=-limit, vmax=limit, alpha=0.6
    )
    for row in range(rows):
        for column in range(columns):
            axes.text(
                across[column : column + 2].mean(), down[row : row + 2].mean(),
                f"{round(float(explanation.regions[row, column])):d}",
                ha="center", va="center", fontsize=6,
            )  # fmt: skip
    axes.set_title("logit by region", fontsize=9)


def _histogram(axes, parts):
    edges = np.linspace(-RANGE, RANGE, 52)  # one grey level is 0.0039
    for name, values, colour in parts:
        # One pixel of every block is 0 by definition: it says nothing.
        counted = np.ones(values.shape[:2], bool)
        counted[::2, ::2] = False
        counts, _ = np.histogram(np.clip(values[counted], -RANGE, RANGE), edges, density=True)
        axes.stairs(counts, edges, color=colour, label=name)
    axes.set_yscale("log")
    axes.minorticks_off()
    # matplotlib's own labels of a logarithmic axis are formulas.
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.set_title("differences within blocks", fontsize=9)
    axes.set_xlabel("parts of full scale", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _grey(pixels: np.ndarray) -> np.ndarray:
    """As drawn under the maps: grey, reduced; whoever draws it says how large it is."""
    return np.array(Image.fromarray(_reduced(pixels)).convert("L"))


_DRAWN = 1200  # pixels a side that a panel can show


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """A large image at the size it is drawn at."""
    factor = -(-max(pixels.shape[:2]) // _DRAWN)
    return pixels if factor < 2 else np.array(Image.fromarray(pixels).reduce(factor))


def _sampled(values: np.ndarray) -> np.ndarray:
    """A large map at the size it is drawn at: single pixels, whose mean would be no NPR."""
    factor = -(-max(values.shape[:2]) // _DRAWN)
    offset = 1 if factor > 1 and factor % 2 == 0 else 0  # not the reference pixels, which are 0
    return values[offset::factor, offset::factor]
