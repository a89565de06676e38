"""What a file says of where it has been: compression, resizing, and what it claims of itself."""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from npr_keras.data.decode import FORMATS
from npr_keras.data.structure import whole
from npr_keras.forensics import blocking
from npr_keras.forensics.jpeg import estimate_quality, subsampling
from npr_keras.forensics.resampling import THRESHOLD, resampling_strength

_EXIF_TEXTS = {0x0131: "software", 0x010E: "description", 0x013B: "artist", 0x9286: "comment"}
# Keys of PNG texts that generators' front ends write, who does, and what the text looks like then.
_STEPS, _JSON = re.compile(r"\bSteps: \d"), re.compile(r"\s*[{\[]")
_PNG_KEYS = {
    "parameters": ("Stable Diffusion web UI", _STEPS),
    "prompt": ("ComfyUI", _JSON),
    "workflow": ("ComfyUI", _JSON),
    "invokeai_metadata": ("InvokeAI", _JSON),
    "sd-metadata": ("InvokeAI", _JSON),
    "fooocus_scheme": ("Fooocus", re.compile("")),
}
_NAMES = re.compile(
    r"\b(?:stable[ _-]?diffusion|midjourney|dall[-·•]e|adobe firefly|novelai|comfyui|invokeai|fooocus|"
    r"automatic1111|leonardo\.ai|ideogram\.ai|flux\.1|google imagen|bing image creator)\b",
    re.IGNORECASE,
)
# IPTC's digital source types of what was made by a trained model, in whole or in part.
_SOURCE_TYPE = re.compile(
    r"digitalsourcetype/(compositeWithTrainedAlgorithmicMedia|trainedAlgorithmicMedia)\b"
)
_LOSSY_FORMATS = {"JPEG", "JPEG2000", "AVIF", "GIF"}  # as they are met; GIF for its palette


@dataclass(frozen=True)
class History:
    """What a file says beside its content.

    Attributes:
        format, mode: As Pillow calls them; "" where there is no file, only pixels.
        width, height: Pixels.
        lossy: Whether its format as used here has lost detail.
        quality: JPEG quality, estimated; None for other formats.
        subsampling: Of a JPEG's colours, such as "4:2:0"; "" for others.
        resampling: Strength of the trace of a resize, see `npr_keras.forensics.resampling`.
        claims: What it says of its own origin. Anyone can write or remove that.
        blocking: Strength of the trace of JPEG's blocks, see `npr_keras.forensics.blocking`; 0 for JPEGs.
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
    blocking: float = 0.0

    @property
    def was_jpeg(self) -> bool:
        """Whether a file that is no JPEG shows a JPEG's blocks; their absence proves nothing."""
        return self.blocking > blocking.THRESHOLD

    @property
    def resized(self) -> bool:
        """Whether the trace of a resize is there; its absence proves nothing."""
        return self.resampling > THRESHOLD


NO_HISTORY = History("", "", 0, 0, False, None, "", 0.0, ())  # of what cannot be read


def pixel_history(pixels: np.ndarray) -> History:
    """What pixels without a file show: traces alone; no format, and no claims.

    Args:
        pixels: uint8 (H, W, 3).
    """
    height, width = pixels.shape[:2]
    strengths = resampling_strength(pixels), blocking.blocking_strength(pixels)
    return History("", "RGB", width, height, False, None, "", strengths[0], (), strengths[1])


def read_history(source: str | os.PathLike | bytes, pixels: np.ndarray) -> History:
    """Reads what a file says.

    Args:
        source: An image file that can be read, or its bytes.
        pixels: Its pixels as they are in the file, uint8 (H, W, 3).
    """
    boxes = _boxes(source)
    with _opened(source, "text behind pixels" in boxes) as image:
        jpeg = image.format in ("JPEG", "MPO")  # MPO: a camera's JPEG with a second picture in it
        name = "JPEG" if jpeg else image.format or ""
        return History(
            format=name,
            mode=image.mode,
            width=image.width,
            height=image.height,
            lossy=(
                name in _LOSSY_FORMATS
                or image.mode == "P"
                or "VP8 " in boxes
                or image.info.get("compression") in ("jpeg", "webp")  # inside a TIFF
            ),
            quality=estimate_quality(image.quantization) if jpeg else None,
            subsampling=(subsampling(image) or "") if jpeg else "",
            resampling=resampling_strength(pixels),
            claims=tuple(dict.fromkeys(_claims(image, boxes))),
            blocking=0.0 if jpeg else blocking.blocking_strength(pixels),
        )


def _opened(source, to_the_end: bool):
    """The image with its texts, without them where one is broken.

    Args:
        source: The file, or its bytes.
        to_the_end: Whether texts stand behind the pixels, which are decoded then.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        image = Image.open(file, formats=FORMATS)
        if to_the_end:
            image.load()
        return image
    # Pillow refuses a whole PNG for a broken comment; whatever its parsers meet.
    except Exception:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        return Image.open(io.BytesIO(whole(data)), formats=FORMATS)


def _boxes(source) -> set[str]:
    """Names of the parts that a WebP, PNG or JPEG file consists of; JUMBF in a JPEG is "jumb"."""
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            end = len(source) if isinstance(source, bytes) else os.path.getsize(source)
            return set(_riff_chunks(file, end))
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            file.seek(8)
            return set(_png_chunks(file))
        if head[:2] == b"\xff\xd8":
            file.seek(2)
            return set(_jpeg_segments(file))
    return set()


def _riff_chunks(file, end: int):
    while file.tell() + 8 <= end:
        name, length = struct.unpack("<4sI", file.read(8))
        yield name.decode("latin-1")
        if name == b"ANMF":  # a frame: 16 bytes, then chunks of its own
            file.seek(16, os.SEEK_CUR)
        else:
            file.seek(length + length % 2, os.SEEK_CUR)


def _png_chunks(file):
    pixels = False
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        pixels |= name == b"IDAT"
        if pixels and name in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"):
            yield "text behind pixels"
        yield name.decode("latin-1")
        file.seek(length + 4, os.SEEK_CUR)


def _jpeg_segments(file):
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != 0xDA:  # pixels
        length = int.from_bytes(head[2:], "big") - 2
        data = file.read(max(0, length))
        if head[1] == 0xEB and b"jumb" in data[:64] and b"c2pa" in data:
            yield "jumb"


def _claims(image, boxes: set[str]):
    for key, value in image.info.items():
        if not isinstance(key, str) or not isinstance(value, str):
            continue
        who, looks = _PNG_KEYS.get(key.lower(), ("", None))
        if looks and looks.search(value):
            yield f"PNG text {key!r}, as {who} writes it"
        elif found := _NAMES.search(value):
            yield f"text {key!r} names {found[0]}"
    for name, text in _exif_texts(image):
        if found := _NAMES.search(text):
            yield f"EXIF {name} names {found[0]}"
        elif _STEPS.search(text) and "Sampler: " in text:
            yield f"EXIF {name}, as Stable Diffusion web UI writes it"
    for key in ("xmp", "XML:com.adobe.xmp"):
        value = image.info.get(key, "")
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        if found := _SOURCE_TYPE.search(text):
            yield f"IPTC digital source type {found[1]}"
    if boxes & {"jumb", "caBX", "C2PA"}:
        yield "C2PA manifest present (not verified)"


def _exif_texts(image):
    try:
        exif = image.getexif()
        entries = {**exif, **exif.get_ifd(0x8769)}
    except Exception:  # whatever broken EXIF data make of Pillow's parser: then they claim nothing
        return
    for tag, name in _EXIF_TEXTS.items():
        value = entries.get(tag, "")
        if isinstance(value, bytes):  # comments begin with eight bytes for their encoding
            wide = value.startswith(b"UNICODE")
            value = value[8:].decode("utf-16-be" if wide else "utf-8", "replace")
        yield name, str(value).replace("\0", "")
