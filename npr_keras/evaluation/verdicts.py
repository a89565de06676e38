"""An evaluation image by image: its rows, and the verdicts that `npr-keras predict` would give."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from npr_keras.errors import UnreadableImageError
from npr_keras.evaluation.report import Evaluation
from npr_keras.forensics.examine import examine
from npr_keras.profile import ModelProfile
from npr_keras.verdict import Prediction, conclude


def verdicts_of(
    evaluation: Evaluation, progress: Callable[[int], None] | None = None, threads: int = 4
) -> dict[tuple[str, str, str], Prediction]:
    """Reads every image once more, for its history and evidence, and concludes.

    Args:
        evaluation: Of one detector.
        progress: Called with the number of images done since the last call.
        threads: Images read at once.

    Returns:
        Dict from suite, set and path to `Prediction`.
    """

    def one(record, logit, protocol):
        if math.isnan(logit):
            return Prediction(record.path, "not scored")
        try:
            image = examine(record.path, protocol)
        except UnreadableImageError as error:
            return Prediction(record.path, str(error))
        profile = evaluation.profile or ModelProfile(protocol)
        return conclude(profile, record.path, image, logit, protocol)

    found = {}
    with ThreadPoolExecutor(threads) as pool:
        for result in evaluation.results:
            protocol = evaluation.protocol_of(result)
            logits = result.logits.tolist()
            for prediction in pool.map(one, result.records, logits, [protocol] * len(logits)):
                found[result.suite, result.name, prediction.path] = prediction
                if progress:
                    progress(1)
    return found


def score_rows(
    evaluation: Evaluation, verdicts: dict[tuple[str, str, str], Prediction] | None = None
) -> list[dict]:
    """A flat row for each image: path, label, set, class, logit, probability, what was wrong.

    Args:
        evaluation: Of one detector.
        verdicts: Of `verdicts_of`, for the verdict and its reasons.
    """
    rows = []
    for result in evaluation.results:
        probability = evaluation.calibration_of(result).probability
        for record, logit in zip(result.records, result.logits.tolist(), strict=True):
            row = {
                "model": evaluation.name,
                "path": record.path,
                "label": record.label,
                "suite": result.suite,
                "set": result.name,
                "class": record.class_name,
                "logit": logit,
                "probability": logit if math.isnan(logit) else probability(logit),
            }
            if verdicts:
                found = verdicts[result.suite, result.name, record.path]
                row |= {"verdict": found.verdict, "reasons": "; ".join(found.reasons)}
            rows.append({**row, "error": result.unreadable.get(record.path, "")})
    return rows
