"""The verdicts of an evaluation's images: those of `npr-keras predict`, from scores that are there."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from npr_keras.data.examine import examine
from npr_keras.errors import UnreadableImageError
from npr_keras.evaluation.report import Evaluation
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
