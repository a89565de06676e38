"""Verdicts of files that a server scores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from npr_keras.client.client import Client
from npr_keras.data.decode import read_image_file
from npr_keras.data.walk import Skipped
from npr_keras.errors import UnreadableImageError
from npr_keras.forensics.examine import Examined, examine
from npr_keras.profile import ModelProfile
from npr_keras.runtimes.exported import read_facts
from npr_keras.runtimes.remote import is_kept, png_of
from npr_keras.scoring.files import expand
from npr_keras.verdict import Prediction, conclude
from npr_keras.visible import visible


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
        paths, skipped: As for `npr_keras.scoring.files`.
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
            waiting.append(
                Prediction(name, reason if known else f"Cannot read {visible(name)}: {reason}")
            )
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
        if not answer.valid and is_kept(protocol, image.pixels.shape[:2]):
            # Pillow reads it and the graph does not: its pixels, then.
            (answer,) = client.score([png_of(image.pixels)])
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
    return png_of(image.pixels)
