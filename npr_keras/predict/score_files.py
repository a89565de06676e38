"""Files and folders to scores and verdicts, one after the other, in order, in constant memory."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.decode import decode, preprocess
from npr_keras.data.folder import iter_images
from npr_keras.data.history import History, read_history
from npr_keras.errors import CheckpointError, DataError, UnreadableImageError
from npr_keras.predict.verdict import judge

MAX_PIXELS = 40_000_000  # of what the detector sees; its first layer takes 64 bytes for each
_AHEAD = 4  # images that are loaded while others are scored
_AHEAD_PIXELS = 16_000_000  # of all of these together; one image alone may be larger


@dataclass(frozen=True)
class Prediction:
    """What is said of one file.

    Attributes:
        path: The file.
        error: Why there is no score; "" where there is one, and the rest holds.
        logit: The detector's output.
        probability: Of being generated, calibrated.
        threshold: The logit above which images are called generated.
        verdict: "real", "generated" or "inconclusive".
        reasons: Why it is inconclusive.
        pixels: What the detector saw: the protocol's name and the size.
        history: What the file tells of itself.
    """

    path: str
    error: str = ""
    logit: float = float("nan")
    probability: float = float("nan")
    threshold: float = float("nan")
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    pixels: str = ""
    history: History | None = None


def score_files(
    predictor,
    paths: Iterable[str | os.PathLike],
    protocol: Preprocessing,
    batch_size: int = 16,
) -> Iterator[Prediction]:
    """Scores images.

    Args:
        predictor: What scores them: `predict(images)` and `profile`.
        paths: Image files, and folders, which are searched with everything below them. Taken one
            by one: it may be endless.
        protocol: How files become pixels.
        batch_size: Images of one size that are scored together, at most.

    Yields:
        A `Prediction` for each image, in order. What cannot be read has an `error`.

    Raises:
        CheckpointError: If the model gives NaN.
    """
    loaded: list[_Loaded] = []
    for one in _load_ahead(paths, protocol):
        if one:
            loaded.append(one)
        # None: nothing more is ready by now. What is there does not wait for it.
        if loaded and (not one or len(loaded) >= batch_size or _size(loaded) > _AHEAD_PIXELS):
            yield from _score(predictor, loaded, protocol)
            loaded = []
    yield from _score(predictor, loaded, protocol)


def _load_ahead(paths, protocol: Preprocessing) -> Iterator[_Loaded | None]:
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
            for entry in _expand(paths):
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
    path: str
    pixels: np.ndarray | None = None
    history: History | None = None
    error: str = ""


def too_large(pixels: np.ndarray) -> str:
    """What is said of a picture of more than `MAX_PIXELS`."""
    return (
        f"{pixels.shape[1]} x {pixels.shape[0]} pixels are more than are scored at once "
        f"({MAX_PIXELS:,}); --protocol centercrop looks at the middle of it"
    )


def _size(loaded: list[_Loaded]) -> int:
    return sum(one.pixels.size // 3 for one in loaded if one.pixels is not None)


def _load(entry: tuple[str, str], protocol: Preprocessing) -> _Loaded:
    path, error = entry
    if error:
        return _Loaded(path, error=error)
    try:
        pixels = decode(path)
        seen = preprocess(pixels, protocol)
        height, width = seen.shape[:2]
        if height * width > MAX_PIXELS:
            raise UnreadableImageError(f"Cannot use {path}: {too_large(seen)}")
        return _Loaded(path, seen, read_history(path, pixels))
    except (UnreadableImageError, OSError) as fault:
        return _Loaded(path, error=str(fault))


def _score(predictor, loaded: list[_Loaded], protocol: Preprocessing) -> Iterator[Prediction]:
    """Scores what is of one size together; gives it back in order."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for i, one in enumerate(loaded):
        if one.pixels is not None:
            sizes.setdefault(one.pixels.shape, []).append(i)
    logits: dict[int, float] = {}
    for indices in sizes.values():
        found = predictor.predict(np.stack([loaded[i].pixels for i in indices]))
        logits |= {i: float(logit) for i, logit in zip(indices, found, strict=True)}
    for i, one in enumerate(loaded):
        yield (
            _predicted(predictor, one, logits[i], protocol)
            if i in logits
            else Prediction(one.path, one.error)
        )


def _predicted(predictor, one: _Loaded, logit: float, protocol: Preprocessing) -> Prediction:
    if np.isnan(logit):
        raise CheckpointError(
            f"The model gives NaN instead of a logit, first for {one.path}. Its weights are broken; "
            "a training that diverged leaves such weights."
        )
    calibration = predictor.profile.calibration_for(protocol)
    verdict = judge(logit, one.history, predictor.profile, protocol)
    height, width = one.pixels.shape[:2]
    return Prediction(
        one.path,
        logit=logit,
        probability=calibration.probability(logit),
        threshold=calibration.threshold,
        verdict=verdict.verdict,
        reasons=verdict.reasons,
        pixels=f"{protocol.name} {width}x{height}",
        history=one.history,
    )


def _expand(paths) -> Iterator[tuple[str, str]]:
    """Each file, and why there is none where a path leads nowhere."""
    for path in map(os.fspath, paths):
        if not os.path.isdir(path):
            gone = "" if os.path.lexists(path) else f"No such file or folder: {path}"
            yield path, gone
            continue
        count = 0
        try:
            for file in iter_images(path):
                yield file, ""
                count += 1
        except DataError as error:
            yield path, str(error)
            continue
        if not count:
            yield path, f"No image files in the folder {path}"
