"""The runs that are done as one dict, that every table and figure is made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from npr_keras.ablation.differences import FIGURES, paired_difference, spread
from npr_keras.ablation.plan import Run, read_plan
from npr_keras.errors import RunError
from npr_keras.evaluation.metrics import compute_metrics
from npr_keras.evaluation.published import published_ablation


def ablation_result(folder: str | os.PathLike, repetitions: int = 400) -> dict:
    """Figures over seeds and differences to the default, of what is done by now.

    Args:
        folder: The ablation's.
        repetitions: Resamples for the intervals.

    Returns:
        Dict: "grid", "default", "seeds", "sets", "shared", "versions", "date", and "variants", a
        list in the grid's order: "name", "seeds" (done), "failures", "figures" (by figure: "mean"
        and "std" over seeds of the mean over sets, "by_set" the same for each, "difference" to
        the default with its interval and that of each seed, None for the default itself), and
        "paper", the published figures of Table 7 where it has the variant, apart from ours.

    Raises:
        RunError: If there is no ablation, or no run is done.
    """
    plan = read_plan(folder)
    runs = {
        slug: [
            Run(slug, seed, Path(folder, "runs", slug, f"seed-{seed}")) for seed in plan["seeds"]
        ]
        for slug in plan["variants"]
    }
    scores = {
        slug: {run.seed: run.read_logits() for run in group if run.is_done}
        for slug, group in runs.items()
    }
    if not any(scores.values()):
        raise RunError(f"No run in {os.fspath(folder)} is done yet.")
    rows = []
    for slug, variant in plan["variants"].items():
        rows.append(
            {
                "name": variant["name"],
                "seeds": sorted(scores[slug]),
                "failures": {run.seed: run.failure for run in runs[slug] if run.failure},
                "figures": {
                    figure: _figure(figure, scores[slug], scores[plan["default"]],
                                    slug == plan["default"], repetitions)
                    for figure in FIGURES
                } if scores[slug] else {},
                "paper": _published(variant) if plan["grid"] == "table7" else None,
            }
        )  # fmt: skip
    first = next(s for group in scores.values() for s in group.values())
    return {
        "grid": plan["grid"],
        "default": plan["variants"][plan["default"]]["name"],
        "seeds": plan["seeds"],
        "sets": list(first),
        "runs": sum(map(len, runs.values())),
        "done": sum(map(len, scores.values())),
        "shared": plan["shared"],
        "versions": plan["versions"],
        "variants": rows,
    }


def _figure(figure: str, ours: Mapping, default: Mapping, is_default: bool, repetitions) -> dict:
    values = {
        seed: {name: _value(figure, *pair) for name, pair in sets.items()}
        for seed, sets in ours.items()
    }
    mean, std = spread([np.mean(list(v.values())) for v in values.values()])
    by_set = {
        name: dict(zip(("mean", "std"), spread([v[name] for v in values.values()]), strict=True))
        for name in next(iter(values.values()))
    }
    paired = sorted(set(ours) & set(default))
    difference = None
    if paired and not is_default:
        names = list(ours[paired[0]])
        labels = [ours[paired[0]][name][0] for name in names]
        both = [[[group[s][n][1] for n in names] for s in paired] for group in (ours, default)]
        found = paired_difference(labels, *both, figure, repetitions)
        difference = {
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
            "of_seeds": found.of_seeds,
            "is_real": found.is_real,
        }
    return {"mean": mean, "std": std, "by_set": by_set, "difference": difference}


def _value(figure: str, labels: np.ndarray, logits: np.ndarray) -> float:
    read = ~np.isnan(logits)
    return getattr(compute_metrics(labels[read], logits[read]), figure)


def _published(variant: Mapping) -> dict | None:
    layer = variant["representation"]
    key = (layer.get("window", 2), str(layer.get("reference", 1)))
    found = published_ablation().get(key, {}).get("mean")
    return dict(zip(FIGURES, (value / 100 for value in found), strict=True)) if found else None
