"""A server as a predictor."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from npr_keras.config import Preprocessing
from npr_keras.data.arrays import as_batch
from npr_keras.data.decode import read_image_file
from npr_keras.data.examine import Examined, examine
from npr_keras.data.walk import Skipped
from npr_keras.errors import CheckpointError, ServingError, UnreadableImageError
from npr_keras.predict.facts import read_facts
from npr_keras.predict.files import expand
from npr_keras.profile import ModelProfile
from npr_keras.serving.client import Client
from npr_keras.verdict import Prediction, conclude

# Values in a request, at most: one byte each in gRPC, four characters in JSON.
_GRPC_VALUES, _REST_VALUES = 48 << 20, 12 << 20
_AT_ONCE = 8  # encoded images in a request


class ServedPredictor:
    """Scores images with a model that a server has; images are prepared here, by its protocol.

    The version that is served at first is asked to the end.

    Args:
        url: See `npr_keras.serving.Client`.
    """

    def __init__(self, url: str):
        self.path = url
        try:
            self._client = Client(url).pinned()
            text = self._client.facts()
        except ServingError as error:
            raise CheckpointError(f"Cannot ask the server what it serves: {error}") from error
        self.facts = read_facts(text, url)
        self._is_rest = not self._client.address.is_grpc
        self.profile = self.facts.profile
        self.preprocessing = self.profile.preprocessing
        # Scores that were kept are of what was served then: of the same facts.
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,)."""
        images = as_batch(images)
        if _is_kept(self.preprocessing, images.shape[1:3]):
            answers = list(self._client.score(map(_png, images), _AT_ONCE))
            refused = next((answer.error for answer in answers if not answer.valid), None)
            if refused is not None:
                raise CheckpointError(f"{self.path} gives no score: {refused or 'unknown error'}")
            return np.array([answer.logit for answer in answers], np.float32)
        at_once = max(1, (_REST_VALUES if self._is_rest else _GRPC_VALUES) // images[0].size)
        logits = [
            self._client.predict({"pixels": images[i : i + at_once]}, "pixels")["logit"]
            for i in range(0, len(images), at_once)
        ]
        return np.concatenate(logits).astype(np.float32)


def _is_kept(protocol: Preprocessing, shape: tuple[int, int]) -> bool:
    """Whether the server's own preprocessing leaves prepared pixels as they are.

    Then they travel as PNG: losslessly, a tenth of their size, and TensorFlow Serving does not refuse a
    batch for its images' sizes, as it does with numbers.
    """
    return (
        (not protocol.resize or shape == (protocol.resize, protocol.resize))
        and (not protocol.tile or min(shape) >= protocol.tile)
        and (not protocol.crop or max(shape) <= protocol.crop)
        and (not protocol.even or all(side % 2 == 0 for side in shape))
    )


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def served_predictions(
    client: Client,
    paths: Iterable[str | os.PathLike],
    batch_size: int = 8,
    skipped: Skipped | None = None,
) -> Iterator[Prediction]:
    """What a server's scores of files mean: the verdicts of `score_files`.

    The server gives the logit; history and evidence are read from the same bytes here. Files go as they
    are, where the graph reads them as Pillow does; others as a PNG of their pixels. One version is asked
    to the end.

    Args:
        client: Of a model that `npr-keras export` wrote.
        paths, skipped: As for `npr_keras.predict.files`.
        batch_size: Images in a request, at most.

    Yields:
        A `Prediction` for each image, in order.
    """
    client = client.pinned()
    profile = profile_of(client)
    waiting: list[Prediction | tuple[str, bytes, Examined]] = []
    for name, path, error in expand(paths, skipped):
        try:
            if error:
                raise UnreadableImageError(error)
            data = read_image_file(path)
            waiting.append((name, data, examine(data, profile.preprocessing)))
        except UnreadableImageError as fault:
            reason = str(fault).removeprefix("Cannot read the image: ")
            known = error or reason.startswith("Cannot ")
            waiting.append(Prediction(name, reason if known else f"Cannot read {name}: {reason}"))
        if len(waiting) >= batch_size:
            yield from _concluded(client, profile, waiting, batch_size)
            waiting = []
    yield from _concluded(client, profile, waiting, batch_size)


def profile_of(client: Client) -> ModelProfile:
    """What a served model says of itself."""
    return read_facts(client.facts(), client.url).profile


def _concluded(client: Client, profile: ModelProfile, waiting, batch_size):
    protocol = profile.preprocessing
    images = [one for one in waiting if isinstance(one, tuple)]
    answers = client.score((_as_sent(data, image) for _, data, image in images), batch_size)
    for one in waiting:
        if isinstance(one, Prediction):
            yield one
            continue
        name, _, image = one
        answer = next(answers)
        if not answer.valid and _is_kept(protocol, image.pixels.shape[:2]):
            # Pillow reads it and the graph does not: its pixels, then.
            (answer,) = client.score([_png(image.pixels)])
        if answer.valid:
            yield conclude(profile, name, image, answer.logit, protocol)
        else:
            yield Prediction(name, f"{name}: {answer.error or 'the server gives no score'}")


_READ_ALIKE = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


def _as_sent(data: bytes, image: Examined) -> bytes:
    """The file, or its pixels where the graph would read others, or none: with black ink, say."""
    history = image.history
    if history.format in _READ_ALIKE and history.mode != "CMYK":
        return data
    return _png(image.pixels)
