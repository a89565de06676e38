"""What all decoders share, and opening one by what a user calls it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence

import numpy as np

from npr_keras.errors import ConfigError
from npr_keras.presets import shipped
from npr_keras.tables import DECODERS, load_code


class Decoder:
    """The last stage of a generator: from a photograph to what it makes of it.

    Args:
        files: Its weights, or what else it is made of.

    Attributes:
        multiple: Sides of images, in pixels, have to be a multiple of this.
        has_latent: Whether noise can be added to what it decodes.
        digest: SHA-256 of its files; "" without any.
    """

    multiple = 8
    has_latent = False

    def __init__(self, files: Sequence[str]):
        self.digest = _digest(files)

    def reconstruct(
        self, pixels: np.ndarray, random: np.random.Generator, noise: float = 0.0
    ) -> np.ndarray:
        """What it makes of an image.

        Args:
            pixels: uint8, (H, W, 3), sides a multiple of `multiple`.
            random: What is drawn at random comes from here.
            noise: Standard deviation of noise added to the latent, as a share of the latent's own.

        Returns:
            float32, (H, W, 3), from 0 to 255, not rounded; uint8 where it is.
        """
        raise NotImplementedError


def open_decoder(text: str) -> tuple[str, Decoder]:
    """A decoder, and what its folder is called.

    Args:
        text: A name in `npr_keras.tables.DECODERS` that needs no file; files with commas between
            them, whose ending says what they are; `kind=files`; or `name:kind=files`, where the
            folder is to be called so.

    Raises:
        ConfigError: If there is no such kind or file, or their number is not right.
    """
    head, _, listed = text.rpartition("=")
    name, _, kind = head.rpartition(":")
    files = listed.split(",") if listed and (head or listed not in DECODERS) else []
    kind = kind or (text if text in DECODERS else _kind_of(files))
    if kind not in DECODERS:
        raise ConfigError(
            f"Unknown kind of decoder. Known: {', '.join(DECODERS)}. Received: {text!r}"
        )
    row = DECODERS[kind]
    if len(files) not in row.files:
        wanted = " or ".join(map(str, row.files))
        raise ConfigError(
            f"A decoder of the kind {kind} takes {wanted} files, {row.what}. Received: {text!r}"
        )
    for file in files:
        if ":" not in file and not os.path.exists(file):
            raise ConfigError(f"--decoder {text}: there is no {file}")
    if row.shipped:
        name, files = name or kind, [os.fspath(shipped(row.shipped))]
    name = name or (os.path.splitext(os.path.basename(files[-1]))[0] if files else kind)
    name = re.sub(r"[^\w.-]+", "-", name).strip(".")
    if not name:
        raise ConfigError(f"--decoder {text}: a name has letters or digits.")
    return name, load_code(row.code)(files)


def _kind_of(files: Sequence[str]) -> str:
    """By the files' ending; "" where several kinds have it, or none."""
    if len(files) == 1 and os.path.isdir(files[0]):
        return "diffusers"
    endings = {os.path.splitext(file)[1].lower() for file in files}
    return next(
        (kind for kind, row in DECODERS.items() if row.ending and endings == {row.ending}), ""
    )


def _digest(files: Sequence[str]) -> str:
    if not files:
        return ""
    found = hashlib.sha256()
    for file in files:
        inside = [file]
        if os.path.isdir(file):
            inside = sorted(os.path.join(at, n) for at, _, names in os.walk(file) for n in names)
        for path in inside:
            if os.path.isfile(path):
                with open(path, "rb") as opened:
                    found.update(hashlib.file_digest(opened, "sha256").digest())
            else:
                found.update(path.encode())
    return found.hexdigest()


def noisy(latent: np.ndarray, random: np.random.Generator, noise: float) -> np.ndarray:
    """A latent and noise of a share of its own standard deviation."""
    if not noise:
        return latent
    drawn = random.standard_normal(latent.shape).astype(np.float32)
    return latent + noise * float(latent.std()) * drawn
