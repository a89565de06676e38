"""What an evaluation says, as one plain dict: every table, file and page is made from it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from npr_keras.config import PROTOCOLS, Preprocessing
from npr_keras.evaluation.differences import difference_on_images
from npr_keras.evaluation.evaluate import SetResult, intervals_of, mean_over_sets, pooled
from npr_keras.evaluation.published import METHOD, QUOTED, mean_of_sets, published_figures
from npr_keras.profile import UNCALIBRATED, Calibration, ModelProfile
from npr_keras.versions import versions


@dataclass(frozen=True)
class Evaluation:
    """One detector's results.

    Attributes:
        name: What tables call the detector.
        model: Where it is: a path.
        results: One `SetResult` a set.
        identity: SHA-256 of its file, if any.
        threshold: The calibrated logit, if any.
        backend: What it was run by.
        profile: What is known about it; None where that is nothing.
        unread: Dict from path to what was wrong with an image that the threshold was to be found on.
    """

    name: str
    model: str
    results: Sequence[SetResult]
    identity: str | None = None
    threshold: float | None = None
    backend: str = ""
    profile: ModelProfile | None = None
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def unreadable(self) -> dict[str, str]:
        """What was wrong with each image that could not be read."""
        return {**self.unread, **{k: v for r in self.results for k, v in r.unreadable.items()}}

    def calibration_of(self, result: SetResult) -> Calibration:
        """What logits mean on a set's pixels."""
        return (
            self.profile.calibration_for(self.protocol_of(result)) if self.profile else UNCALIBRATED
        )

    def protocol_of(self, result: SetResult) -> Preprocessing:
        """How a set's files became pixels."""
        own = self.profile.preprocessing if self.profile else None
        return own if own and own.name == result.protocol else PROTOCOLS[result.protocol]


def build_report(evaluations: Sequence[Evaluation], **described) -> dict:
    """All figures of an evaluation, as fractions from 0 to 1; NaN where one is not defined.

    Args:
        evaluations: One for each detector, all over the same sets.
        described: What else the report is to hold, such as the command.

    Returns:
        A dict: what was passed as `described`; "images", a digest of what was judged; "versions";
        "models", a dict for each detector with "sets" (a row each, with 95 % bootstrap intervals
        and, under "paper", the published figures of NPR, if any), "suites" (the means, by title),
        "mean" (over all sets), "pooled" (over all images), and "differences" to the first detector,
        by suite's title, and under "mean" over all sets, each with its 95 % interval over images.
    """
    return {
        **described,
        "images": images_digest(evaluations[0].results),
        "versions": versions(),
        "models": [_model(evaluation, evaluations[0]) for evaluation in evaluations],
    }


def images_digest(results: Sequence[SetResult]) -> str:
    """SHA-256 over what was judged: sets, protocols, labels, names and lengths of the files.

    Same digest, same images, as far as that can be told without reading them again; where they
    lie makes no difference.
    """
    digest = hashlib.sha256()
    for result in results:
        digest.update(repr((result.suite, result.name, result.protocol)).encode())
        for record in result.records:
            try:
                length = os.stat(record.path).st_size
            except OSError:
                length = -1
            entry = (record.class_name, record.label, os.path.basename(record.path), length)
            digest.update(repr(entry).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _differences(results: Sequence[SetResult], first: Sequence[SetResult]) -> dict:
    titles = list(dict.fromkeys(result.suite for result in results))
    found = {}
    for title in [*titles, None]:
        ours, theirs = ([r for r in some if title in (None, r.suite)] for some in (results, first))
        found["mean" if title is None else title] = difference_on_images(ours, theirs)
    return found


def _model(evaluation: Evaluation, first: Evaluation) -> dict:
    results = evaluation.results
    suites = {}
    for title in dict.fromkeys(result.suite for result in results):
        own = [result for result in results if result.suite == title]
        suites[title] = _mean(own)
    return {
        "name": evaluation.name,
        "model": evaluation.model,
        "sha256": evaluation.identity,
        "backend": evaluation.backend,
        "threshold": evaluation.threshold,
        "notice": evaluation.profile.notice if evaluation.profile else "",
        "sets": [_row(result) for result in results],
        "suites": suites,
        "mean": _mean(results),
        "pooled": dataclasses.asdict(pooled(results, evaluation.threshold)),
        "differences": {} if evaluation is first else _differences(results, first.results),
    }


def _mean(results) -> dict:
    return {"sets": len(results), **mean_over_sets(results), QUOTED: _mean_published(results)}


def _row(result: SetResult) -> dict:
    return {
        "suite": result.suite,
        "set": result.name,
        "protocol": result.protocol,
        **dataclasses.asdict(result.metrics),
        "intervals": intervals_of(result),
        "classes": sorted({record.class_name for record in result.records}),
        "unreadable": result.unreadable,
        QUOTED: _published(result),
    }


def _published(result: SetResult) -> dict | None:
    """The paper's figures for NPR on a sub-testset of its suites."""
    figures = published_figures()[METHOD].get((result.suite, result.name))
    return _fractions(figures) if figures else None


def _mean_published(results: Sequence[SetResult]) -> dict | None:
    """The mean of the paper's figures over the same sub-testsets; None unless all are published."""
    figures = published_figures()[METHOD]
    keys = [(result.suite, result.name) for result in results]
    if not all(key in figures for key in keys):
        return None
    return _fractions(mean_of_sets({key: figures[key] for key in keys}))


def _fractions(figures) -> dict:
    accuracy, average_precision = figures
    return {
        "accuracy": round(accuracy / 100, 6),
        "average_precision": round(average_precision / 100, 6),
    }


def worst_mistakes(
    results: Sequence[SetResult], count: int
) -> tuple[list[tuple[SetResult, int]], list[tuple[SetResult, int]]]:
    """The images that a detector is most wrong about.

    Returns:
        Real images called generated and generated ones called real, each a list of at most `count`
        pairs of a set's result and the image's place in it, the worst first.
    """
    wrong: tuple[list, list] = ([], [])
    for result in results:
        for place, (record, logit) in enumerate(zip(result.records, result.logits, strict=True)):
            if not np.isnan(logit) and (logit > 0) != (record.label == 1):
                wrong[record.label].append((abs(float(logit)), result, place))
    real, generated = (
        [pair[1:] for pair in sorted(mistakes, key=lambda m: -m[0])[:count]] for mistakes in wrong
    )
    return real, generated
