"""What a file tells of where it has been: compression, resizing, and what it claims of itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from npr_keras.data.decode import FORMATS
from npr_keras.data.jpeg import estimate_quality, subsampling
from npr_keras.data.resampling import THRESHOLD, resampling_strength

_HEAD = 1 << 20  # bytes of a file that are searched for claims
_EXIF_TEXTS = {0x0131: "software", 0x010E: "description", 0x013B: "artist", 0x9286: "comment"}
# Keys of PNG texts that generators' front ends write, and who does.
_PNG_KEYS = {
    "parameters": "Stable Diffusion web UI",
    "prompt": "ComfyUI",
    "workflow": "ComfyUI",
    "invokeai_metadata": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "dream": "InvokeAI",
    "fooocus_scheme": "Fooocus",
    "generation_data": "a generator's front end",
}
_NAMES = re.compile(
    r"stable[ _-]?diffusion|midjourney|dall[-· ]?e\b|firefly|novelai|comfyui|invokeai|fooocus|"
    r"automatic1111|leonardo\.ai|ideogram|\bflux\.?1|imagen|gpt-4o|openai|gemini|bing image creator",
    re.IGNORECASE,
)
# IPTC's digital source types of what was made by a trained model, in whole or in part.
_SOURCE_TYPE = re.compile(rb"(compositeWithTrainedAlgorithmicMedia|trainedAlgorithmicMedia)")


@dataclass(frozen=True)
class History:
    """What a file tells beside its content.

    Attributes:
        format, mode: As Pillow calls them.
        width, height: Pixels.
        lossy: Whether its format as used here has lost detail.
        quality: JPEG quality, estimated; None for other formats.
        subsampling: Of a JPEG's colours, such as "4:2:0"; "" for others.
        resampling: Strength of the trace of a resize, see `npr_keras.data.resampling`.
        claims: What it says of its own origin. Anyone can write or remove that.
    """

    format: str
    mode: str
    width: int
    height: int
    lossy: bool
    quality: int | None
    subsampling: str
    resampling: float
    claims: tuple[str, ...]

    @property
    def resized(self) -> bool:
        """Whether the trace of a resize is there; its absence proves nothing."""
        return self.resampling > THRESHOLD


def read_history(path: str | os.PathLike, pixels: np.ndarray) -> History:
    """Reads what a file tells.

    Args:
        path: An image file that can be read.
        pixels: Its pixels as they are in the file, uint8 (H, W, 3).
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    with Image.open(path, formats=FORMATS) as image:
        jpeg = image.format in ("JPEG", "MPO")  # MPO: a camera's JPEG with a second picture in it
        return History(
            format="JPEG" if jpeg else image.format or "",
            mode=image.mode,
            width=image.width,
            height=image.height,
            lossy=jpeg or image.format == "AVIF" or _is_lossy_webp(head),
            quality=estimate_quality(image.quantization) if jpeg else None,
            subsampling=(subsampling(image) or "") if jpeg else "",
            resampling=resampling_strength(pixels),
            claims=tuple(dict.fromkeys(_claims(image, head))),
        )


def _is_lossy_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP" and b"VP8 " in head[12:4096]


def _claims(image, head: bytes):
    for key, value in image.info.items():
        if not isinstance(key, str) or not isinstance(value, str):
            continue
        if key.lower() in _PNG_KEYS:
            yield f"PNG text {key!r}, as {_PNG_KEYS[key.lower()]} writes it"
        elif found := _NAMES.search(value):
            yield f"text {key!r} names {found[0]}"
    try:
        exif = image.getexif()
        entries = {**exif, **exif.get_ifd(0x8769)}
    except Exception:  # whatever broken EXIF data make of Pillow's parser: then they claim nothing
        entries = {}
    for tag, name in _EXIF_TEXTS.items():
        value = entries.get(tag, "")
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        if found := _NAMES.search(text.replace("\0", "")):
            yield f"EXIF {name} names {found[0]}"
    if found := _SOURCE_TYPE.search(head):
        yield f"IPTC digital source type {found[0].decode()}"
    if b"c2pa" in head and (b"jumb" in head or b"C2PA" in head or b"caBX" in head):
        yield "C2PA manifest present (not verified)"
