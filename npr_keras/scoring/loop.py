"""The loop: images to scores, in batches of one size, in bounded memory over any mixture of sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from npr_keras.errors import CheckpointError

MOST_PIXELS = 1 << 22  # of a batch; a first layer takes 64 bytes for each, spectra 500


class Predictor(Protocol):
    """All that the loop knows of a predictor."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """uint8 (B, H, W, 3) to float32 logits (B,)."""


def scored(
    predictor: Predictor,
    images: Iterable[tuple[int, np.ndarray] | None],
    batch_size: int,
    name_of: Callable[[int], str] = str,
    in_order: bool = False,
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Scores images as they come.

    Args:
        predictor: What scores them.
        images, batch_size, in_order: See `batches_by_size`.
        name_of: From an index to what an error calls the image.

    Yields:
        Indices, and what the predictor gives for them: float32 logits, (b,), for one. Nothing twice,
        nothing left out; empty where `images` had None.

    Raises:
        CheckpointError: If the predictor gives NaN.
    """
    for indices, pixels in batches_by_size(images, batch_size, in_order=in_order):
        if not indices:
            yield indices, pixels
            continue
        found = np.asarray(predictor.predict(pixels))
        broken = np.isnan(found.reshape(len(indices), -1)).any(axis=1)
        if broken.any():
            raise CheckpointError(
                "The model gives NaN instead of a logit, first for "
                f"{name_of(indices[int(broken.argmax())])}. Its weights are broken; a training that "
                "diverged leaves such weights."
            )
        yield indices, found


def images_per_second(predictor: Predictor, pixels: np.ndarray, rounds: int = 3) -> float:
    """The median over some rounds with the same images, uint8 (B, H, W, 3), after one that plans."""
    predictor.predict(pixels)
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        predictor.predict(pixels)
        seconds.append(time.perf_counter() - begun)
    return len(pixels) / float(np.median(seconds))


def batches_by_size(
    images: Iterable[tuple[int, np.ndarray] | None],
    batch_size: int,
    waiting: int = 8,
    in_order: bool = False,
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Groups images of the same size into batches.

    At most `waiting * batch_size` images wait for others of their size; beyond that the largest
    group goes as it is, so that memory stays bounded over any mixture of sizes. A batch of large
    images is smaller: together they have at most `MOST_PIXELS` pixels.

    Args:
        images: Pairs of an index and pixels, (H, W, 3); None where the next one has to be waited
            for: with `in_order` nobody waits for it.
        batch_size: Images a batch, at most.
        waiting: How many batches' worth of images may wait.
        in_order: Whether all that wait go together, so that none waits for images far behind it.

    Yields:
        The batch's indices and its pixels, (b, H, W, 3); with `in_order` also an empty batch in the
        place of None.
    """
    groups: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    count = area = 0
    for image in images:
        if image is not None:
            group = groups.setdefault(image[1].shape, [])
            group.append(image)
            count += 1
            height, width = image[1].shape[:2]
            area += height * width
        if in_order:
            if image is None or count >= batch_size or area > MOST_PIXELS:
                yield from map(_stack, groups.values())
                groups, count, area = {}, 0, 0
                yield [], np.empty(0, np.float32)
        elif image is not None:
            full = len(group) == batch_size or (len(group) + 1) * height * width > MOST_PIXELS
            if full or count == waiting * batch_size:
                largest = max(groups, key=lambda shape: len(groups[shape]))
                ready = groups.pop(image[1].shape if full else largest)
                count -= len(ready)
                yield _stack(ready)
    yield from map(_stack, groups.values())


def _stack(group):
    indices, pixels = zip(*group, strict=True)
    return list(indices), np.stack(pixels)
