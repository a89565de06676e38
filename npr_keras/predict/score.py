"""`npr_keras.score`: images of any kind to verdicts, in one call."""

from __future__ import annotations

import functools
import os

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.arrays import as_pixels
from npr_keras.errors import CheckpointError
from npr_keras.predict.open import open_predictor
from npr_keras.predict.score_files import predictions

VARIABLE = "NPR_MODEL"


def score(images, model=None, protocol: Preprocessing | None = None):
    """Scores images and says what can be concluded.

    Args:
        images: A path, the bytes of an image file, a PIL image, an array (uint8 RGB, (H, W, 3)), or a
            list of these. Give files where you have them: pixels alone do not say how they were
            compressed, so their verdict is inconclusive.
        model: A path or an address, see `open_predictor`, or what that returns. Default: the
            environment variable NPR_MODEL.
        protocol: How files become pixels. Default: the model's own.

    Returns:
        A `Prediction` with `verdict` ("generated", "no trace", "inconclusive", or "" where nothing was
        measured), `probability`, `logit`, `reasons` and more; for a list, a list of them. One that
        cannot be read has an `error`.

    Raises:
        PixelError: For an array of another shape or range, such as floats from 0 to 1.
        CheckpointError: If there is no model.

    Example:
        >>> found = npr_keras.score("photo.jpg", model="saved_models/npr")
        >>> found.verdict, found.reasons
        ('inconclusive', ('JPEG quality 75: this detector finds only 40 % of generated images like that',))
    """
    predictor = _predictor(model)
    protocol = protocol or predictor.preprocessing
    single = not isinstance(images, (list, tuple))
    sources = [_source(image) for image in ([images] if single else images)]
    found = list(predictions(predictor, sources, protocol))
    return found[0] if single else found


def _predictor(model):
    if model is None:
        model = os.environ.get(VARIABLE)
        if not model:
            raise CheckpointError(
                "No model: pass model=..., the folder of a run, a .keras file or an exported model, or "
                f"set {VARIABLE}."
            )
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        changed = os.stat(path).st_mtime_ns if os.path.isfile(path) else 0
        return _opened(path, changed)
    return model


@functools.lru_cache(maxsize=2)
def _opened(path: str, changed: int):
    return open_predictor(path)


def _source(image) -> tuple[str, object]:
    """A name, and what `examine` takes."""
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image), os.fspath(image)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return "(bytes)", bytes(image)
    if hasattr(image, "convert") and hasattr(image, "mode"):  # a PIL image
        file = getattr(image, "filename", "")
        if image.format and file and os.path.isfile(file):  # as it was opened
            return os.fspath(file), os.fspath(file)
        return "(image)", np.array(image.convert("RGB"))
    return "(array)", as_pixels(image)
