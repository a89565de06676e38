"""Files and folders to scores, one after the other, in order."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.decode import load
from npr_keras.data.folder import list_images
from npr_keras.errors import CheckpointError, LayoutError, UnreadableImageError


def score_files(
    predictor, paths: Iterable[str | os.PathLike], protocol: Preprocessing
) -> Iterator[dict]:
    """Scores images.

    Args:
        predictor: What scores them: anything with `predict(images)`.
        paths: Image files, and folders, which are searched with everything below them.
        protocol: How files become pixels.

    Returns:
        An iterator: a dict for each image, in order: "path", and "logit", "probability" and "verdict"
        ("generated" above probability 0.5, else "real"), or "error" where it cannot be read.

    Raises:
        CheckpointError: If the model gives NaN.
        LayoutError: If a path does not exist, or a folder holds no images; before any is scored.
    """
    return _score(predictor, _expand(paths), protocol)


def _score(predictor, paths, protocol):
    for path in paths:
        try:
            pixels = load(path, protocol)
        except UnreadableImageError as error:
            yield {"path": path, "error": str(error)}
            continue
        logit = float(predictor.predict(pixels[None])[0])
        if np.isnan(logit):
            raise CheckpointError(
                f"The model gives NaN instead of a logit, first for {path}. Its weights are broken; "
                "a training that diverged leaves such weights."
            )
        yield {
            "path": path,
            "logit": logit,
            "probability": 1 / (1 + math.exp(min(-logit, 700.0))),
            "verdict": "generated" if logit > 0 else "real",
        }


def _expand(paths) -> list[str]:
    files = []
    for path in map(os.fspath, paths):
        found = list_images(path) if os.path.isdir(path) else [path]
        if not found:
            raise LayoutError(f"No image files in the folder {path}.")
        if not os.path.exists(found[0]):
            raise LayoutError(f"No such file or folder: {path}")
        files += found
    return files
