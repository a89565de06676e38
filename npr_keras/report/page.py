"""A report as one HTML page that needs nothing beside it: no network, no other file, no script."""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Sequence
from importlib import resources

import numpy as np

from npr_keras.data.decode import decode
from npr_keras.errors import UnreadableImageError
from npr_keras.evaluation.metrics import FIGURES
from npr_keras.evaluation.published import QUOTED
from npr_keras.evaluation.report import Evaluation, worst_mistakes
from npr_keras.packages import require
from npr_keras.report.tables import (
    NOTE,
    QUOTATION,
    facts_of,
    indices_of,
    per_cent,
    set_label,
    suite_titles,
    with_interval,
)
from npr_keras.visible import visible

MISTAKES = 8  # of either kind, shown for each detector
_THUMBNAIL = 160  # pixels, the longer side


def html_page(report: dict, evaluations: Sequence[Evaluation]) -> str:
    """The page.

    Args:
        report: See `npr_keras.evaluation.report.build_report`.
        evaluations: What it was built from.
    """
    require("The page", "jinja2", "matplotlib")
    import jinja2

    text = resources.files("npr_keras.report").joinpath("page.html").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_harmless
    )
    return environment.from_string(text).render(
        report=report,
        models=[_model(*pair) for pair in zip(report["models"], evaluations, strict=True)],
        suites=_charts(report),
        facts=facts_of(report),
        note=NOTE,
        quoted=QUOTATION if any(row[QUOTED] for row in report["models"][0]["sets"]) else "",
    )


def _model(model: dict, evaluation: Evaluation) -> dict:
    """What the template shows of one detector."""
    results = evaluation.results
    limit = _limit(results)
    kinds = ("photographs called generated", "generated pictures called real")
    mistakes = zip(kinds, worst_mistakes(results, MISTAKES), strict=True)
    return {
        **model,
        "overview": _summary(model),
        "columns": _columns(model),
        "tables": [_table(model, title) for title in model["suites"]] + _overall(model),
        "limit": limit,
        "histograms": [_histogram(result, evaluation.threshold, limit) for result in results],
        "mistakes": [
            {"kind": kind, "pictures": [_picture(*pair) for pair in pairs]}
            for kind, pairs in mistakes
        ],
        "unreadable": [reason for result in results for reason in list(result.unreadable.values())],
    }


def _summary(model: dict) -> list[tuple[str, str]]:
    mean = model["mean"]
    names = ["accuracy", "average_precision", "real_accuracy", "fake_accuracy", "auc"]
    return [(FIGURES[n], per_cent(mean[n])) for n in names]


def _columns(model: dict) -> list[str]:
    calibrated = model["threshold"] is not None
    return [name for name in FIGURES if calibrated or name != "calibrated_accuracy"]


def _overall(model: dict) -> list[dict]:
    """Over all suites, where there is more than one; else the pooled images alone."""
    everything = {**model["pooled"], "set": "all images pooled", "classes": (), QUOTED: None}
    everything["suite"] = None
    return [_table({**model, "sets": [everything], "suites": {None: model["mean"]}}, None)]


def _table(model: dict, title: str | None) -> dict:
    rows = [row for row in model["sets"] if row["suite"] == title]
    mean = model["suites"][title]
    quoted = any(row[QUOTED] for row in [*rows, mean])
    names = _columns(model)
    lines = [
        {
            "label": set_label(row),
            "cells": [f"{row['real']:,}", f"{row['fake']:,}"]
            + [with_interval(row, name) for name in names],
            "paper": _paper(row),
        }
        for row in rows
    ]
    total = {
        "label": f"mean of {mean['sets']} sets",
        "cells": ["", "", *(per_cent(mean[name]) for name in names)],
        "paper": _paper(mean),
    }
    heads = ["real", "fake", *(FIGURES[name] for name in names)]
    title = "over all" if title is None else title
    return {"title": title, "heads": heads, "rows": lines, "total": total, "quoted": quoted}


def _paper(row: dict) -> list[str]:
    paper = row[QUOTED]
    return [per_cent(paper[n]) if paper else "" for n in ("accuracy", "average_precision")]


def _charts(report: dict) -> list[dict]:
    from npr_keras.report.charts import sets_chart, svg

    charts = []
    for title in suite_titles(report):
        images = [
            {
                "source": _data_uri(svg(sets_chart(report, title, name)).encode(), "svg+xml"),
                "alt": f"{FIGURES[name]} of each set{' of ' + title if title else ''}",
            }
            for name in ("accuracy", "average_precision")
        ]
        charts.append({"title": title, "images": images, "sets": len(indices_of(report, title))})
    return charts


def _limit(results) -> int:
    """Where histograms end: 99 of 100 logits lie inside; an even number, the same for all sets."""
    logits = np.abs(np.concatenate([result.logits for result in results]))
    return 2 * max(2, math.ceil(float(np.nanquantile(logits, 0.99)) / 2))


def _histogram(result, threshold, limit) -> dict:
    from npr_keras.report.charts import score_histogram, svg

    drawing = svg(score_histogram(result, threshold, limit))
    return {
        "source": _data_uri(drawing.encode(), "svg+xml"),
        "alt": f"Scores of real and generated images of {result.name}",
    }


def _picture(result, place: int) -> dict:
    record = result.records[place]
    try:
        image = io.BytesIO()
        _thumbnail(record.path).save(image, "PNG")
        source = _data_uri(image.getvalue(), "png")
    except (UnreadableImageError, OSError):  # gone since it was scored
        source = ""
    label = " / ".join(filter(None, (result.suite, result.name, record.class_name)))
    return {
        "source": source,
        "name": os.path.basename(record.path),
        "where": label,
        "logit": f"{result.logits[place]:+.1f}",
    }


def _thumbnail(path: str):
    from PIL import Image

    image = Image.fromarray(decode(path))
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return image


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _harmless(value):
    """What stands in the page: names of files have no control characters there. Drawings are whole."""
    return visible(value, lines=True) if type(value) is str else value
