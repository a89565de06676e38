"""Training a decoder of one's own: minutes on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from npr_keras.atomic import replacing
from npr_keras.data.decode import decode
from npr_keras.data.walk import list_images
from npr_keras.errors import ConfigError, LayoutError, UnreadableImageError
from npr_keras.reconstruction.families import FAMILIES, build_family
from npr_keras.simulation.generator import train_autoencoder

_LEARNT_FROM, _SIDE = 64, 256  # photographs, and pixels of them


def train_decoder(
    family: str,
    photos: str | os.PathLike,
    out: str | os.PathLike,
    stages: int = 2,
    steps: int = 1000,
    seed: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> float:
    """Trains an encoder and a family's last stages to give back photographs.

    The loss is absolute error and local energy, so that what comes out is as sharp as what goes in.
    Same photographs, settings, backend and machine: on a CPU the same decoder.

    Args:
        family: One of `npr_keras.reconstruction.families.FAMILIES`.
        photos: A folder of photographs.
        out: The .keras file to write, for `npr-keras data reconstruct --decoder`.
        stages: How often pictures are halved and doubled, 1 to 3.
        steps: Batches of 4 crops of 64 pixels.
        seed: Of weights and crops.
        progress: Called with what is done, how much of it, and how much there is.

    Returns:
        The mean PSNR of what it learnt from, in dB.

    Raises:
        ConfigError: If there is no such family.
        LayoutError: If there are no photographs of at least 64 pixels.
    """
    if family not in FAMILIES:
        raise ConfigError(f"The family must be one of {', '.join(FAMILIES)}. Received: {family!r}")
    if Path(out).suffix != ".keras" or not Path(out).absolute().parent.is_dir():
        raise ConfigError(f"Expected a file .keras in a folder that is there. Received: {out}")
    keras.utils.set_random_seed(seed)
    photographs = _photographs(photos, seed, progress)
    model = build_family(family, stages)
    done = 0

    def count(steps_done):
        nonlocal done
        done += steps_done
        if progress:
            progress(family, done, steps)

    train_autoencoder(model, photographs, steps, seed, count)
    plain = keras.Model(model.input, model.output[family])
    with replacing(Path(out)) as temporary:
        plain.save(temporary, include_optimizer=False)
    made = np.concatenate(
        [plain.predict_on_batch(one[None].astype("float32")) for one in photographs]
    )
    errors = np.mean((np.clip(made, 0, 255) - photographs) ** 2, axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-4))))


def _photographs(folder, seed: int, progress) -> np.ndarray:
    """The middle squares of some, shrunk to one size: uint8 (n, side, side, 3)."""
    if not os.path.isdir(folder):
        raise LayoutError(f"No such folder of photographs: {os.fspath(folder)}")
    paths = list_images(folder)
    order = np.random.default_rng(seed).permutation(len(paths))
    found: list[np.ndarray] = []
    for i in order:
        try:
            pixels = decode(paths[i])
        except UnreadableImageError:
            continue
        side = min(pixels.shape[:2])
        if side < 64:
            continue
        top, left = ((n - side) // 2 for n in pixels.shape[:2])
        square = Image.fromarray(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
        found.append(np.array(square.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)))
        if progress:
            progress("photographs", len(found), _LEARNT_FROM)
        if len(found) == _LEARNT_FROM:
            break
    if not found:
        raise LayoutError(f"No photographs of at least 64 pixels a side under {os.fspath(folder)}.")
    return np.stack(found)
