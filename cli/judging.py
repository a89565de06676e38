"""What `npr-keras eval` runs: detectors over sets, one after the other, with progress."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path

from npr_keras.errors import ConfigError
from npr_keras_cli.console import progress_bar, warn_left_out, warn_of_pixels


def judged(predictors: dict, sets, calibration, settings: dict, keeper) -> list:
    """Judges detectors.

    Args:
        predictors: Dict from where they are to the predictors.
        sets: List of `ImageSet`.
        calibration: An `ImageSet` that each one's threshold is found on, or None.
        settings: What `evaluate` takes besides, and "protocol" and "backend".
        keeper: Where scores are kept; the caller removes them when all is done.

    Returns:
        One `Evaluation` a detector.
    """
    from npr_keras.evaluation.evaluate import calibrated_threshold, evaluate
    from npr_keras.evaluation.report import Evaluation

    protocol, backend = settings.pop("protocol"), settings.pop("backend")
    first = [calibration] if calibration else []
    if protocol:  # of all sets, whatever their suite says
        sets = [dataclasses.replace(s, protocol=protocol) for s in sets]
        first = [dataclasses.replace(s, protocol=protocol) for s in first]
    total = len(predictors) * sum(len(s.records) for s in (*first, *sets))
    evaluations: list = []
    unreadable: dict = {}
    with progress_bar() as bar:
        task = bar.add_task("building the graph", total=total, note="")
        for name, (model, predictor) in zip(
            short_names(list(predictors)), predictors.items(), strict=True
        ):
            marked = f"{name}: " if len(predictors) > 1 else ""

            judge = functools.partial(
                evaluate,
                predictor,
                protocol=predictor.preprocessing,
                progress=functools.partial(_advance, bar, task, marked),
                keep=keeper,
                **settings,
            )
            for used in {s.protocol or predictor.preprocessing for s in sets}:
                warn_of_pixels(predictor.profile, used)
            threshold = _stored_threshold(predictor, sets)
            if first:
                found = judge(sets=first)
                threshold = calibrated_threshold(found)
                unreadable |= {k: v for result in found for k, v in result.unreadable.items()}
            results = judge(sets=sets, threshold=threshold)
            identity = predictor.identity
            evaluations.append(
                Evaluation(name, model, results, identity, threshold, backend, predictor.profile)
            )
            unreadable |= {k: v for result in results for k, v in result.unreadable.items()}
    warn_left_out(unreadable)
    return evaluations


def _advance(bar, task, model: str, name: str, done: int) -> None:
    bar.update(task, advance=done, description=f"{model}{name}")


def _stored_threshold(predictor, sets) -> float | None:
    """The one that was stored with a detector, where it was found on pixels made like these."""
    used = {(s.protocol or predictor.preprocessing) for s in sets}
    found = [predictor.profile.calibration_for(protocol) for protocol in used]
    return found[0].threshold if len(found) == 1 and found[0].images else None


def calibration_set(folder, sets):
    """The images in a folder as one set, none of which may be judged."""
    from npr_keras_cli.suites_view import judged_sets

    (found,) = judged_sets(folder, pool=True)
    judged_paths = {os.path.realpath(record.path) for s in sets for record in s.records}
    both = [r.path for r in found.records if os.path.realpath(r.path) in judged_paths]
    if both:
        raise ConfigError(
            f"--calibrate-on {folder}: {len(both)} of its images are also judged, the first {both[0]}. "
            "A threshold found on the images that it is judged on is an oracle; that one is in the "
            "column best*. Give other images."
        )
    return found


def short_names(models) -> list[str]:
    """What tables call detectors: the last part of the path, more where that is not enough."""
    paths = [Path(os.path.abspath(model)) for model in models]
    twice = next((str(m) for m, p in zip(models, paths, strict=True) if paths.count(p) > 1), None)
    if twice:
        raise ConfigError(f"--model {twice} is given more than once.")
    parts = [p.with_name(p.name.removesuffix(".keras")).parts for p in paths]
    parts = [p[:-1] if p[-1] == "model" and len(p) > 1 else p for p in parts]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
