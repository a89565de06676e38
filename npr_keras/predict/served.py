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
from npr_keras.data.decode import decode
from npr_keras.data.examine import examine
from npr_keras.data.walk import Skipped
from npr_keras.errors import CheckpointError, ServingError, UnreadableImageError
from npr_keras.predict.facts import read_facts
from npr_keras.predict.score_files import expand
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
            self._client = _pinned(url)
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
    if protocol.resize and shape != (protocol.resize, protocol.resize):
        return False
    return not protocol.tile or min(shape) >= protocol.tile


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _pinned(url: str) -> Client:
    """A client of the version that is served now: a set is judged by one, whatever comes after."""
    client = Client(url)
    if client.address.version is not None or client.address.label:
        return client
    available = [v for v, state in client.status().items() if state == "AVAILABLE"]
    client.close()
    return Client(f"{url.rstrip('/')}/versions/{max(available)}") if available else Client(url)


def served_predictions(
    client: Client,
    paths: Iterable[str | os.PathLike],
    batch_size: int = 8,
    skipped: Skipped | None = None,
) -> Iterator[Prediction]:
    """What a server's scores of files mean: the verdicts of `score_files`, the files sent as they are.

    The server gives the logit; history and evidence are read from the same bytes here.

    Args:
        client: Of a model that `npr-keras export` wrote.
        paths, skipped: As for `npr_keras.predict.score_files`.
        batch_size: Images in a request, at most.

    Yields:
        A `Prediction` for each image, in order.
    """
    profile = read_facts(client.facts(), client.url).profile
    waiting: list[Prediction | tuple[str, bytes]] = []
    for name, path, error in expand(paths, skipped):
        try:
            if error:
                raise UnreadableImageError(error)
            with open(path, "rb") as file:
                waiting.append((name, file.read()))
        except UnreadableImageError as fault:
            waiting.append(Prediction(name, str(fault)))
        except OSError as fault:
            waiting.append(Prediction(name, f"Cannot read {path}: {fault.strerror or fault}"))
        if len(waiting) >= batch_size:
            yield from _concluded(client, profile, waiting, batch_size)
            waiting = []
    yield from _concluded(client, profile, waiting, batch_size)


def _concluded(client: Client, profile: ModelProfile, waiting, batch_size):
    images = [one[1] for one in waiting if isinstance(one, tuple)]
    answers = client.score(images, batch_size)
    for one in waiting:
        if isinstance(one, Prediction):
            yield one
            continue
        name, data = one
        answer = next(answers)
        try:
            if not answer.valid:
                decode(data)  # what is wrong, in the words of every other command
                raise UnreadableImageError(answer.error or "the server gives no score")
            image = examine(data, profile.preprocessing)
        except UnreadableImageError as error:
            reason = str(error).removeprefix("Cannot read the image: ")
            yield Prediction(name, f"Cannot read {name}: {reason}")
            continue
        yield conclude(profile, name, image, answer.logit, profile.preprocessing)
