"""The runs that are done as one dict, that every table and figure is made from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from npr_keras.ablation.plan import Run, read_groups, read_plan, runs_of
from npr_keras.errors import RunError
from npr_keras.evaluation.differences import (
    FIGURES,
    mean_of_defined,
    paired_difference,
    resample,
    spread,
)
from npr_keras.evaluation.metrics import compute_metrics
from npr_keras.evaluation.published import published_ablation


def ablation_result(folder: str | os.PathLike, repetitions: int = 400) -> dict:
    """Figures over seeds and differences to the default, of what is done by now.

    Args:
        folder: The ablation's.
        repetitions: Resamples for the intervals.

    Returns:
        Dict: "grid", "default", "seeds", "sets", "runs" and "done" (their numbers), "shared",
        "versions", "mixed" (packages of which runs used several versions), "images" (how many are
        judged), "groups" (of images that depend on each other, see `groups_of`), "unreadable" (how
        many images could not be read), "undefined" (sets without an AP), and "variants", a list in
        the grid's order: "name", "is_default", "seeds" (done), "failures" (what was said, by seed), "figures"
        (by figure: "mean" and "std" over seeds of the mean over sets, "by_set" the same for each,
        "difference" to the default with its interval and that of each seed, None where there is
        nothing to pair), and "paper", the published figures of Table 7 where it has the variant,
        apart from ours. Figures are fractions; NaN where they are not defined.

    Raises:
        RunError: If there is no ablation, or no run is done.
    """
    plan = read_plan(folder)
    runs = {slug: runs_of(folder, slug, plan["seeds"]) for slug in plan["variants"]}
    done = {slug: {r.seed: r for r in group if r.is_done} for slug, group in runs.items()}
    if not any(done.values()):
        raise RunError(f"No run in {os.fspath(folder)} is done yet." + _first_failure(runs))
    groups = read_groups(folder)
    resampled: dict[str, dict] = {}
    by_set: dict[str, dict] = {}
    unreadable = 0
    for slug, group in done.items():
        scores = {seed: run.read_logits() for seed, run in group.items()}
        resampled[slug] = {s: _resampled(one, groups, repetitions) for s, one in scores.items()}
        by_set[slug] = {s: {name: _metrics(*pair) for name, pair in one.items()}
                        for s, one in scores.items()}  # fmt: skip
        for one in scores.values():
            unreadable = max(unreadable, sum(int(np.isnan(z).sum()) for _, z in one.values()))
    rows = [
        {
            "name": variant["name"],
            "is_default": slug == plan["default"],
            "seeds": sorted(done[slug]),
            "failures": {run.seed: run.failure for run in runs[slug] if run.failure},
            "figures": {
                figure: _figure(figure, by_set[slug], resampled[slug], resampled[plan["default"]],
                                slug == plan["default"])
                for figure in FIGURES
            } if done[slug] else {},
            "paper": _published(variant, plan["shared"]),
        }
        for slug, variant in plan["variants"].items()
    ]  # fmt: skip
    finished = [run for group in done.values() for run in group.values()]
    return {
        "grid": plan["grid"],
        "default": plan["variants"][plan["default"]]["name"],
        "seeds": plan["seeds"],
        "sets": list(finished[0].read_logits()),
        "runs": sum(map(len, runs.values())),
        "done": len(finished),
        "shared": plan["shared"],
        "versions": plan["versions"],
        "mixed": _mixed([run.versions() for run in finished]),
        **_images(finished[0].read_logits(), groups),
        "unreadable": unreadable,
        "variants": rows,
    }


def _images(scores: Mapping, groups: Mapping | None) -> dict:
    count = sum(len(labels) for labels, _ in scores.values())
    apart = len(np.unique(np.concatenate(list(groups.values())))) if groups and count else count
    lacking = [name for name, (labels, _) in scores.items() if len(np.unique(labels)) < 2]
    return {"images": count, "groups": apart, "undefined": lacking}


def _resampled(scores: Mapping, groups: Mapping | None, repetitions: int) -> dict:
    names = list(scores)
    labels, logits = ([scores[name][i] for name in names] for i in (0, 1))
    own = [groups[name] for name in names] if groups else None
    return resample(labels, logits, own, repetitions)


def _metrics(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    read = ~np.isnan(logits)
    found = compute_metrics(labels[read], logits[read])
    return {figure: getattr(found, figure) for figure in FIGURES}


def _figure(figure, by_set: Mapping, ours: Mapping, default: Mapping, is_default: bool) -> dict:
    values = {seed: {name: f[figure] for name, f in one.items()} for seed, one in by_set.items()}
    mean, std = spread([float(mean_of_defined(list(v.values()))) for v in values.values()])
    paired = sorted(set(ours) & set(default))
    difference = None
    if paired and not is_default:
        found = paired_difference(
            [ours[s][figure] for s in paired], [default[s][figure] for s in paired]
        )
        difference = {
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
            "of_seeds": found.of_seeds,
            "is_real": found.is_real,
        }
    sets = {
        name: dict(zip(("mean", "std"), spread([v[name] for v in values.values()]), strict=True))
        for name in next(iter(values.values()))
    }
    return {"mean": mean, "std": std, "by_set": sets, "difference": difference}


def _published(variant: Mapping, shared: Mapping) -> dict | None:
    """Table 7's row of a variant that is one: nothing of it but window and reference is its own."""
    layer = variant["representation"]
    others = (variant["detector"], variant["training"], variant["classes"], variant["protocol"],
              shared.get("detector"), shared.get("representation"))  # fmt: skip
    if set(layer) != {"window", "reference"} or any(others):
        return None
    key = (layer["window"], str(layer["reference"]))
    found = published_ablation().get(key, {}).get("mean")
    return dict(zip(FIGURES, (value / 100 for value in found), strict=True)) if found else None


def _mixed(used: Sequence[Mapping]) -> dict[str, list[str]]:
    """Packages of which not all runs used the same version."""
    names = {name for one in used for name in one}
    found = {name: sorted({str(one[name]) for one in used if name in one}) for name in names}
    return {name: found[name] for name in sorted(found) if len(found[name]) > 1}


def _first_failure(runs: Mapping[str, Sequence[Run]]) -> str:
    failed = [run for group in runs.values() for run in group if run.failure]
    return f" {len(failed)} failed, the first with: {failed[0].failure}" if failed else ""
