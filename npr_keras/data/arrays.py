"""Arrays of pixels that users pass: checked, since a wrong range is scored without a complaint."""

from __future__ import annotations

import numpy as np

from npr_keras.errors import PixelError

_EXPECTED = "Expected RGB pixels from 0 to 255, uint8, (H, W, 3) or (B, H, W, 3)"


def as_pixels(array) -> np.ndarray:
    """An image, or a batch of one size, as uint8.

    Args:
        array: Integers, or floats with integer values, from 0 to 255: (H, W, 3) or (B, H, W, 3).

    Returns:
        uint8, of the same shape.

    Raises:
        PixelError: If it is something else, saying what.
    """
    array = np.asarray(array)
    if array.dtype == object or not array.ndim:
        kind = type(array.item() if not array.ndim else array.flat[0]).__name__
        raise PixelError(f"{_EXPECTED}. Received: {kind}")
    if array.ndim not in (3, 4) or array.shape[-1] != 3:
        raise PixelError(f"{_EXPECTED}. Received: shape {array.shape}{_hint(array)}")
    if min(array.shape[-3:-1]) < 2:
        raise PixelError(f"NPR needs at least 2 x 2 pixels. Received: shape {array.shape}")
    if array.dtype != np.uint8:
        require_range(array)
        if array.dtype.kind == "f" and (array != np.rint(array)).any():
            raise PixelError(
                f"{_EXPECTED}. Received: {array.dtype} with fractions. Resizing as floats leaves "
                "them; pass the image file, or pixels rounded to uint8."
            )
        array = array.astype(np.uint8)
    return array


def as_batch(images) -> np.ndarray:
    """What `predict` takes as uint8 (B, H, W, 3): a batch, one image, or a list of images of one size.

    Raises:
        PixelError: If it is something else.
    """
    if isinstance(images, (str, bytes)) or hasattr(images, "__fspath__"):
        raise PixelError(
            f"{_EXPECTED}. Received: {images if len(str(images)) < 80 else 'bytes'!r}. "
            "npr_keras.score takes files and bytes."
        )
    if isinstance(images, (list, tuple)):
        images = [as_pixels(image) for image in images]
        if not images or len({image.shape for image in images}) > 1:
            shapes = ", ".join(sorted({str(image.shape) for image in images})) or "no images"
            raise PixelError(
                f"A batch holds images of one size. Received: {shapes}. npr_keras.score takes any."
            )
        images = np.stack(images)
    pixels = as_pixels(images)
    if not len(pixels):
        raise PixelError(f"{_EXPECTED}. Received: no images")
    return pixels if pixels.ndim == 4 else pixels[None]


def require_range(array: np.ndarray) -> None:
    """Raises PixelError unless values are numbers from 0 to 255 that look like grey levels.

    Fractions that all lie between 0 and 1 are an image scaled to 1.
    """
    if array.dtype.kind not in "uif":
        raise PixelError(f"{_EXPECTED}. Received: {array.dtype}")
    if not array.size:
        return
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 255):  # NaN, too
        raise PixelError(f"{_EXPECTED}. Received: {array.dtype} from {low:g} to {high:g}")
    if array.dtype.kind == "f" and high <= 1 and ((array > 0) & (array < 1)).any():
        raise PixelError(
            f"{_EXPECTED}. Received: {array.dtype} from {low:g} to {high:g}, an image scaled to 1. "
            "Multiply by 255 and round, or pass the image file."
        )


def _hint(array: np.ndarray) -> str:
    if array.ndim in (3, 4) and array.shape[-1] == 4:
        return ", with alpha: drop the last channel"
    if array.ndim == 2:
        return ", grey: repeat it three times"
    if array.ndim in (3, 4) and array.shape[-3] == 3:
        return ", channels first: move them to the end"
    return ""
