"""Files and folders to scores and verdicts, one after the other, in order, in constant memory."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.ahead import load_ahead
from npr_keras.data.manifest import is_manifest, read_manifest
from npr_keras.data.walk import Skipped, archive_hint, iter_images
from npr_keras.errors import DataError, UnreadableImageError
from npr_keras.forensics.examine import Examined, examine
from npr_keras.scoring.loop import scored
from npr_keras.verdict import Prediction, conclude
from npr_keras.visible import visible

_AHEAD = 4  # images that are loaded while others are scored


def score_files(
    predictor,
    paths: Iterable[str | os.PathLike],
    protocol: Preprocessing,
    batch_size: int = 16,
    skipped: Skipped | None = None,
) -> Iterator[Prediction]:
    """Scores image files, and says what can be concluded.

    Args:
        predictor: What scores them: `predict(images)` and `profile`.
        paths: Image files; folders, which are searched with everything below them; CSV or Parquet
            tables with a column `path`. Taken one by one: it may be endless.
        protocol: How files become pixels.
        batch_size: Images of one size that are scored together, at most.
        skipped: Filled in with what is passed over in folders.

    Yields:
        A `Prediction` for each image, in order. What cannot be read has an `error`.

    Raises:
        CheckpointError: If the model gives NaN.

    Example:
        >>> predictor = open_predictor("saved_models/npr")
        >>> found = score_files(predictor, ["my_images", "gone.png"], predictor.preprocessing)
        >>> [one.error for one in found][-2:]
        ['', 'No such file or folder: gone.png']
    """
    yield from _conclude(predictor, expand(paths, skipped), protocol, batch_size)


def predictions(
    predictor, sources: Iterable[tuple[str, object]], protocol: Preprocessing, batch_size: int = 16
) -> Iterator[Prediction]:
    """As `score_files`, of pairs of a name and what `npr_keras.forensics.examine.examine` takes."""
    entries = ((name, source, "") for name, source in sources)
    yield from _conclude(predictor, entries, protocol, batch_size)


def _conclude(predictor, entries, protocol: Preprocessing, batch_size: int):
    """Scores what is loaded, and gives it back in order."""
    waiting: dict[int, _Loaded] = {}
    logits: dict[int, float] = {}

    def pixels():
        count = itertools.count()
        for one in load_ahead(entries, functools.partial(_load, protocol=protocol), 2, _AHEAD):
            if one is None:
                yield None
                continue
            index = next(count)
            waiting[index] = one
            if one.image:
                yield index, one.image.pixels

    first = 0
    found = scored(predictor, pixels(), batch_size, lambda index: waiting[index].name, True)
    for indices, some in itertools.chain(found, [([], np.empty(0))]):
        logits |= zip(indices, some.tolist(), strict=True)
        while first in waiting and (not waiting[first].image or first in logits):
            one = waiting.pop(first)
            if one.image:
                logit = logits.pop(first)
                yield conclude(predictor.profile, one.name, one.image, logit, protocol)
            else:
                yield Prediction(one.name, one.error)
            first += 1


@dataclass
class _Loaded:
    name: str
    image: Examined | None = None
    error: str = ""


def _load(entry: tuple[str, Any, str], protocol: Preprocessing) -> _Loaded:
    name, source, error = entry
    if error:
        return _Loaded(name, error=error)
    try:
        return _Loaded(name, examine(source, protocol))
    except (UnreadableImageError, OSError) as fault:
        return _Loaded(name, error=str(fault))


def expand(paths, skipped: Skipped | None = None) -> Iterator[tuple[str, str, str]]:
    """Each file, twice, and why there is none where a path leads nowhere.

    Args:
        paths: See `score_files`.
        skipped: Filled in.
    """
    skipped = Skipped() if skipped is None else skipped
    for path in map(os.fspath, paths):
        try:
            if os.path.isdir(path):
                files = iter_images(path, skipped)
            elif is_manifest(path):
                files = (row.path for row in read_manifest(path, labelled=False))
            else:
                yield path, path, _unusable(path)
                continue
            count = 0
            for file in files:
                yield file, file, ""
                count += 1
        except DataError as error:
            yield path, path, str(error)
            continue
        if not count:
            yield path, path, f"No image files in the folder {visible(path)}"


def _unusable(path: str) -> str:
    """Why a path that is no folder cannot be an image; "" where it can."""
    if "://" in path[:12]:
        return f"{visible(path)}: addresses are not fetched. Download the original file, and give its path."
    if not os.path.lexists(path):
        return f"No such file or folder: {visible(path)}"
    if os.path.exists(path) and not os.path.isfile(path):
        return f"{visible(path)}: not a regular file"
    return archive_hint(path)
