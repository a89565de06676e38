"""Labelled images to scores, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import CheckpointError
from npr_keras.scoring.loop import Predictor, scored
from npr_keras.scoring.score_log import ScoreLog
from npr_keras.visible import visible


def score_records(
    predictor: Predictor,
    records: Sequence[Record],
    protocol: Preprocessing,
    unreadable: Unreadable,
    batch_size: int = 32,
    pipeline: str = "auto",
    progress: Callable[[int], None] | None = None,
    log: ScoreLog | None = None,
    change: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> np.ndarray:
    """Scores images.

    Args:
        predictor: What scores them.
        records: The images.
        protocol: How files become pixels.
        unreadable: Where images that cannot be read are reported.
        batch_size: At most so many images at once, all of one size.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.
        progress: Called with the number of images done since the last call.
        log: Where scores are kept while this goes on, and found where it was broken off.
        change: What is done to each image first, see `npr_keras.data.stream.stream_pixels`.

    Returns:
        float32 logits, (n,), in the order of `records`; NaN for unreadable images.

    Raises:
        CheckpointError: If the predictor itself gives NaN.
        TooManyUnreadableError: Beyond the limit that `unreadable` was made with.
    """
    from npr_keras.data.stream import stream_pixels  # imports Keras, which scores need not

    logits = log.read() if log else np.full(len(records), np.nan, np.float32)
    left = [int(i) for i in np.flatnonzero(np.isnan(logits))]
    if progress and len(left) < len(records):
        progress(len(records) - len(left))
    if hasattr(predictor, "predict_files"):  # somebody else's, that wants the files themselves
        if change:
            raise CheckpointError(
                f"{getattr(predictor, 'path', predictor)} scores files as they are, so that nothing can be done to their images "
                "first. Expected one of our models."
            )
        for first in range(0, len(left), batch_size):
            indices = left[first : first + batch_size]
            paths = [records[i].path for i in indices]
            logits[indices] = predictor.predict_files(paths)
            for path, logit in zip(paths, logits[indices], strict=True):
                if np.isnan(logit):
                    unreadable.add(path, f"{visible(path)}: no score")
            if log:
                log.append(indices, logits[indices])
            if progress:
                progress(len(indices))
        return logits
    changed = (lambda pixels, place: change(pixels, left[place])) if change else None
    images = stream_pixels([records[i] for i in left], protocol, unreadable, pipeline, changed)
    named = scored(predictor, images, batch_size, lambda place: records[left[place]].path)
    for places, found in named:
        indices = [left[place] for place in places]
        logits[indices] = found
        if log:
            log.append(indices, found)
        if progress:
            progress(len(indices))
    return logits
