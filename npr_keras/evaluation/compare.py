"""Several detectors on the same sets, each with the threshold that belongs to it."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from npr_keras.config import Preprocessing
from npr_keras.data.records import ImageSet
from npr_keras.errors import ConfigError
from npr_keras.evaluation.evaluate import calibrated_threshold, evaluate
from npr_keras.evaluation.report import Evaluation


def evaluate_models(
    predictors: Mapping[str, Any],
    sets: Sequence[ImageSet],
    calibration: ImageSet | None = None,
    protocol: Preprocessing | None = None,
    backend: str = "",
    progress: Callable[[str, str, int], None] | None = None,
    **options,
) -> list[Evaluation]:
    """Evaluates detectors.

    Args:
        predictors: Dict from where they are to the predictors.
        sets: What to evaluate them on.
        calibration: Images that each one's threshold is found on; by default it is the stored one.
        protocol: Of all sets, whatever they say; by default theirs, or the model's.
        backend: What is noted beside the results.
        progress: Called with the detector's name, the set's, and the number of images done since the
            last call.
        **options: Of `npr_keras.evaluation.evaluate.evaluate`.

    Returns:
        One `Evaluation` a detector.
    """
    if protocol:
        sets = [dataclasses.replace(s, protocol=protocol) for s in sets]
        calibration = calibration and dataclasses.replace(calibration, protocol=protocol)
    evaluations = []
    for name, (model, predictor) in zip(
        short_names(list(predictors)), predictors.items(), strict=True
    ):
        run = functools.partial(
            evaluate,
            predictor,
            protocol=predictor.preprocessing,
            progress=functools.partial(progress, name) if progress else None,
            **options,
        )
        threshold = _stored_threshold(predictor, sets)
        unreadable: dict[str, str] = {}
        if calibration:
            found = run(sets=[calibration])
            threshold = calibrated_threshold(found)
            unreadable = found[0].unreadable
        results = run(sets=sets, threshold=threshold)
        identity, profile = predictor.identity, predictor.profile
        evaluations.append(
            Evaluation(name, model, results, identity, threshold, backend, profile, unreadable)
        )
    return evaluations


def protocols_of(
    predictor, sets: Sequence[ImageSet], protocol: Preprocessing | None = None
) -> list[Preprocessing]:
    """How the sets' files become pixels for a predictor: each way once."""
    own = predictor.preprocessing
    return list(dict.fromkeys(protocol or image_set.protocol or own for image_set in sets))


def _stored_threshold(predictor, sets) -> float | None:
    """The one that was stored with a detector, where it was found on pixels made like these."""
    found = [predictor.profile.calibration_for(p) for p in protocols_of(predictor, sets)]
    return found[0].threshold if len(found) == 1 and found[0].images else None


def require_apart(calibration: ImageSet, sets: Sequence[ImageSet], folder: str) -> None:
    """Raises ConfigError where an image that a threshold is found on is also evaluated."""
    evaluated = {os.path.realpath(record.path) for s in sets for record in s.records}
    both = [r.path for r in calibration.records if os.path.realpath(r.path) in evaluated]
    if both:
        raise ConfigError(
            f"--calibrate-on {folder}: {len(both)} of its images are also judged, the first {both[0]}. "
            "A threshold found on the images that it is judged on is an oracle; that one is in the "
            "column best*. Give other images."
        )


def short_names(models: Sequence[str | os.PathLike]) -> list[str]:
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
