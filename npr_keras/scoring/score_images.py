"""`npr_keras.score`: images of any kind to verdicts, in one call."""

from __future__ import annotations

import contextlib
import functools
import os

import numpy as np

from npr_keras.client.address import is_address
from npr_keras.config import Preprocessing, get_protocol
from npr_keras.data.arrays import as_pixels
from npr_keras.data.decode import decode
from npr_keras.errors import PixelError, UnreadableImageError
from npr_keras.presets import default_model, model_path
from npr_keras.runtimes.open import open_predictor
from npr_keras.runtimes.savedmodel import version_folder
from npr_keras.scoring.files import predictions
from npr_keras.verdict import Prediction


def score(images, model=None, protocol: Preprocessing | str | None = None):
    """Scores images and says what can be concluded.

    Args:
        images: A path, the bytes of an image file, a PIL image, an array (uint8 RGB, (H, W, 3)), or a
            list of these. Give files where you have them: pixels alone do not say how they were
            compressed, so their verdict is inconclusive.
        model: A path, an address or a preset's name, see `open_predictor`; what that returns; or a
            `Detector`. Default: the environment variable NPR_MODEL, or the one that comes with this
            package.
        protocol: How files become pixels, or the name of it. Default: the model's own.

    Returns:
        A `Prediction` with `verdict` ("generated", "no trace", "inconclusive", or "" where nothing was
        measured), `probability`, `logit`, `reasons` and more; for a list, a list of them. One that
        cannot be read has an `error`.

    Raises:
        PixelError: For an array of another shape or range, such as floats from 0 to 1.
        CheckpointError: If there is no model.

    Example:
        >>> found = score("photo.jpg", model="saved_models/npr")
        >>> found.verdict, found.reasons
        ('', ('this detector was neither calibrated nor measured on resize256 pixels',))
    """
    predictor = _predictor(model)
    if isinstance(protocol, str):
        protocol = get_protocol(protocol)
    protocol = protocol or predictor.preprocessing
    single = not isinstance(images, (list, tuple))
    if single:
        (one,) = predictions(predictor, [_source(images)], protocol)
        return one
    sources = []
    found: dict[int, Prediction] = {}
    for i, image in enumerate(images):
        try:
            sources.append((i, _source(image)))
        except PixelError as error:  # one of many is not the others'
            found[i] = Prediction("(array)", str(error))
    scored = predictions(predictor, [source for _, source in sources], protocol)
    found |= {i: one for (i, _), one in zip(sources, scored, strict=True)}
    return [found[i] for i in range(len(images))]


def _predictor(model):
    if model is None:
        model = default_model()
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if is_address(path):
            return open_predictor(path)
        return _opened(model_path(path), _stamp(model_path(path)))
    if hasattr(model, "predict_on_batch"):  # a detector
        from npr_keras.runtimes.keras_file import KerasPredictor

        return KerasPredictor(model)
    return model


@functools.lru_cache(maxsize=2)
def _opened(path: str, stamp: tuple):
    return open_predictor(path)


def _stamp(path: str) -> tuple:
    """When the files that a model consists of were last written."""
    files = [path, f"{os.path.splitext(path)[0]}.bin"]
    if os.path.isdir(path):
        files = [os.path.join(path, "model.keras")]
        if version := version_folder(path):
            files.append(os.path.join(version, "saved_model.pb"))
    return tuple((file, os.stat(file).st_mtime_ns) for file in files if os.path.isfile(file))


def _source(image) -> tuple[str, object]:
    """A name, and what `examine` takes."""
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image), os.fspath(image)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return "(bytes)", bytes(image)
    if hasattr(image, "convert") and hasattr(image, "mode"):  # a PIL image
        return _of_pillow(image)
    if hasattr(image, "read"):
        return str(getattr(image, "name", "(file)")), image.read()
    pixels = as_pixels(image)
    if pixels.ndim == 4:
        raise PixelError(
            f"score takes one image, (H, W, 3), or a list of images. Received: shape {pixels.shape}. "
            "list(array) makes a list of it."
        )
    return "(array)", pixels


def _of_pillow(image) -> tuple[str, object]:
    """Its file, where that still holds these pixels: only the file knows how it was compressed."""
    pixels = np.array(image.convert("RGB"))
    file = getattr(image, "filename", "")
    if image.format and file and os.path.isfile(file):
        with contextlib.suppress(UnreadableImageError):
            if np.array_equal(decode(file), pixels):
                return os.fspath(file), os.fspath(file)
    return "(image)", pixels
