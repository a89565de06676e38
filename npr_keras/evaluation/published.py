"""The paper's own figures, for every method of its Tables 1 to 5, and its Table 7.

They are quoted, never mixed with what was measured here: a table shows them apart.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping, Sequence
from importlib import resources

import numpy as np

PAPER = "Tan et al., CVPR 2024"
METHOD = "NPR"
QUOTED = "paper"  # the key that holds published figures in a row, as fractions like ours


@functools.cache
def published_figures() -> dict[str, dict[tuple[str, str], tuple[float, float]]]:
    """Tables 1 to 5.

    Returns:
        By method, in the paper's order: accuracy and AP in per cent by (suite's title, folder).
    """
    figures: dict[str, dict[tuple[str, str], tuple[float, float]]] = {}
    for row in _rows("tables_1_to_5.csv"):
        key = (row["suite"], row["folder"])
        figures.setdefault(row["method"], {})[key] = (float(row["acc"]), float(row["ap"]))
    return figures


@functools.cache
def published_ablation() -> dict[tuple[int, str], dict[str, tuple[float, float]]]:
    """Table 7: accuracy and AP in per cent by (window, reference), then by folder."""
    figures: dict[tuple[int, str], dict[str, tuple[float, float]]] = {}
    for row in _rows("table_7.csv"):
        key = (int(row["window"]), row["reference"])
        figures.setdefault(key, {})[row["folder"]] = (float(row["acc"]), float(row["ap"]))
    return figures


def mean_of_sets(
    figures: Mapping[tuple[str, str], Sequence[float]], suite: str | None = None
) -> tuple[float, ...]:
    """The unweighted mean over sub-testsets, as the paper takes it.

    Args:
        figures: Some numbers for each (suite's title, folder).
        suite: The title of one suite; None for the grand mean over all sub-testsets (Table 6),
            which is not the mean of the suites' means.
    """
    rows = [values for (title, _), values in figures.items() if suite in (None, title)]
    return tuple(float(mean) for mean in np.mean(rows, axis=0))


def _rows(name: str):
    text = resources.files("npr_keras.evaluation").joinpath("published", name).read_text("utf-8")
    return csv.DictReader(text.splitlines())
