"""Files and folders to scores and verdicts, one after the other, in order, in constant memory."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.examine import Examined, examine
from npr_keras.data.manifest import is_manifest, read_manifest
from npr_keras.data.walk import Skipped, archive_hint, iter_images
from npr_keras.errors import CheckpointError, DataError, UnreadableImageError
from npr_keras.verdict import Prediction, conclude

_AHEAD = 4  # images that are loaded while others are scored
_AHEAD_PIXELS = 16_000_000  # of all of these together; one image alone may be larger


def score_files(
    predictor,
    paths: Iterable[str | os.PathLike],
    protocol: Preprocessing,
    batch_size: int = 16,
    skipped: Skipped | None = None,
) -> Iterator[Prediction]:
    """Scores images.

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
    """
    yield from _in_batches(
        predictor, _load_ahead(expand(paths, skipped), protocol), protocol, batch_size
    )


def predictions(
    predictor, sources: Iterable[tuple[str, object]], protocol: Preprocessing, batch_size: int = 16
) -> Iterator[Prediction]:
    """As `score_files`, of pairs of a name and what `npr_keras.data.examine.examine` takes."""
    entries = ((name, source, "") for name, source in sources)
    yield from _in_batches(predictor, _load_ahead(entries, protocol), protocol, batch_size)


def _in_batches(predictor, images, protocol: Preprocessing, batch_size: int):
    loaded: list[_Loaded] = []
    for one in images:
        if one:
            loaded.append(one)
        # None: nothing more is ready by now. What is there does not wait for it.
        if loaded and (not one or len(loaded) >= batch_size or _size(loaded) > _AHEAD_PIXELS):
            yield from _score(predictor, loaded, protocol)
            loaded = []
    yield from _score(predictor, loaded, protocol)


def _load_ahead(entries, protocol: Preprocessing) -> Iterator[_Loaded | None]:
    """Images in order, some loaded while others are scored; None where one has to be waited for."""
    ready: queue.Queue = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read(pool):
        try:
            for entry in entries:
                if not put(pool.submit(_load, entry, protocol)):
                    return
            put(None)
        except BaseException as error:  # whatever the list of paths raises, for the reader of it
            put(error)

    with ThreadPoolExecutor(2) as pool:
        reader = threading.Thread(target=read, args=(pool,), daemon=True)
        reader.start()
        try:
            while True:
                try:
                    item = ready.get_nowait()
                except queue.Empty:
                    yield None
                    item = ready.get()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                if not item.done():
                    yield None
                yield item.result()
        finally:
            stopped.set()


@dataclass
class _Loaded:
    name: str
    image: Examined | None = None
    error: str = ""


def _size(loaded: list[_Loaded]) -> int:
    return sum(one.image.pixels.size // 3 for one in loaded if one.image)


def _load(entry: tuple[str, Any, str], protocol: Preprocessing) -> _Loaded:
    name, source, error = entry
    if error:
        return _Loaded(name, error=error)
    try:
        return _Loaded(name, examine(source, protocol))
    except (UnreadableImageError, OSError) as fault:
        return _Loaded(name, error=str(fault))


def _score(predictor, loaded: list[_Loaded], protocol: Preprocessing) -> Iterator[Prediction]:
    """Scores what is of one size together; gives it back in order."""
    sizes: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
    for i, one in enumerate(loaded):
        if one.image:
            sizes.setdefault(one.image.pixels.shape, {})[i] = one.image.pixels
    logits: dict[int, float] = {}
    for pixels in sizes.values():
        found = predictor.predict(np.stack(list(pixels.values())))
        logits |= {i: float(logit) for i, logit in zip(pixels, found, strict=True)}
    for i, one in enumerate(loaded):
        if one.image is None:
            yield Prediction(one.name, one.error)
            continue
        if np.isnan(logits[i]):
            raise CheckpointError(
                f"The model gives NaN instead of a logit, first for {one.name}. Its weights are "
                "broken; a training that diverged leaves such weights."
            )
        yield conclude(predictor.profile, one.name, one.image, logits[i], protocol)


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
            yield path, path, f"No image files in the folder {path}"


def _unusable(path: str) -> str:
    """Why a path that is no folder cannot be an image; "" where it can."""
    if "://" in path[:12]:
        return f"{path}: addresses are not fetched. Download the original file, and give its path."
    if not os.path.lexists(path):
        return f"No such file or folder: {path}"
    if os.path.exists(path) and not os.path.isfile(path):
        return f"{path}: not a regular file"
    return archive_hint(path)
