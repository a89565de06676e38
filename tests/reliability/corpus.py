"""Hostile files: what image folders hold when somebody fills them who does not want to be found.

    python tests/reliability/corpus.py FOLDER [COUNT] [SEED]

writes COUNT (1,000) files, half of them into 0_real and half into 1_fake, the same ones for the same
seed. Made here, of nothing that anybody else wrote.
"""

import io
import os
import random
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
ENDINGS = {"JPEG": ".jpg"}
MODES = ("L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "F")
HUGE = (65_535, 1 << 16, 1_000_000, (1 << 31) - 1, (1 << 32) - 1, 0, 1)


def picture(draw, mode="RGB", least=1, most=96):
    size = draw.randint(least, most), draw.randint(least, most)
    values = np.frombuffer(draw.randbytes(size[0] * size[1] * 3), np.uint8)
    image = Image.fromarray(values.reshape(size[1], size[0], 3))
    if mode == "I;16":
        return image.convert("L").convert("I;16")
    return image.convert(mode)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, body, depth=8, colour=2, *extra):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(extra)
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


def truncated(draw):
    kind = draw.choice(FORMATS)
    data = encoded(picture(draw), kind)
    return ENDINGS.get(kind, f".{kind.lower()}"), data[: draw.randrange(len(data))]


def flipped(draw):
    kind = draw.choice(FORMATS)
    data = bytearray(encoded(picture(draw), kind))
    for _ in range(draw.choice((1, 1, 3, 30))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return ENDINGS.get(kind, f".{kind.lower()}"), bytes(data)


def spliced(draw):
    """The beginning of one format, the end of another."""
    a, b = (encoded(picture(draw), draw.choice(FORMATS)) for _ in range(2))
    return ".png", a[: draw.randrange(len(a))] + b[draw.randrange(len(b)) :]


def wrong_size(draw):
    """A header that lies."""
    kind = draw.choice(("PNG", "GIF", "BMP", "JPEG", "TIFF"))
    data = bytearray(encoded(picture(draw, least=8), kind))
    width, height = draw.choice(HUGE), draw.choice(HUGE)
    if kind == "PNG":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    elif kind == "BMP":
        data[18:26] = struct.pack("<II", width, height)
    elif kind == "JPEG" and (at := data.find(b"\xff\xc0")) > 0:
        data[at + 5 : at + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    elif kind == "TIFF":
        for tag in (256, 257):
            at = data.find(struct.pack("<HH", tag, 3))
            if at > 0:
                data[at : at + 12] = struct.pack("<HHII", tag, 4, 1, draw.choice(HUGE))
    return ENDINGS.get(kind, f".{kind.lower()}"), bytes(data)


def bomb(draw):
    """A few kilobytes that mean gigabytes, or a legal product of absurd sides."""
    width, height = draw.choice(((20_000, 20_000), (6300, 6300), (19_900_000, 2), (2, 1_000_000)))
    row = width // 8 + 1
    lines = min(height, max(1, (4 << 20) // row))
    return ".png", png(width, height, zlib.compress(bytes(row * lines), 9), 1, 0)


def text_bomb(draw):
    """Texts, a colour profile, EXIF: compressed, and far larger than the picture."""
    large = zlib.compress(bytes(64 << 20), 9)
    extra = draw.choice(
        (chunk(b"zTXt", b"Comment\0\0" + large), chunk(b"iCCP", b"x\0\0" + large),
         chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + large), chunk(b"eXIf", draw.randbytes(4096)))
    )  # fmt: skip
    return ".png", png(8, 8, zlib.compress(bytes(25 * 8)), 8, 2, extra)


def many_parts(draw):
    """Tens of thousands of chunks, blocks or segments."""
    data = encoded(picture(draw), "PNG")
    if draw.random() < 0.5:
        return ".png", data[:33] + chunk(b"teXt", b"") * 50_000 + data[33:]
    data = encoded(picture(draw), "GIF").rstrip(b";")
    return ".gif", data + b"!\xfe\0" * 50_000 + b";"


def frames(draw):
    """Animations: a frame that is huge, far away, or one of many."""
    image = picture(draw, least=8)
    kind = draw.choice(("GIF", "far", "PNG", "WEBP"))
    if kind == "far":
        data = encoded(image, "GIF").rstrip(b";")
        place = (draw.randrange(65_536) for _ in range(4))
        return ".gif", data + b"," + struct.pack("<HHHH", *place) + b"\0\2\0;"
    others = [picture(draw).resize(image.size) for _ in range(draw.randrange(1, 20))]
    data = encoded(image, kind, save_all=True, append_images=others)
    return f".{kind.lower()}", data


def scans(draw):
    """A progressive JPEG: scans that are missing, or again and again."""
    data = encoded(picture(draw, least=16), "JPEG", progressive=True)
    starts = [i for i in range(len(data)) if data[i : i + 2] == b"\xff\xda"]
    if draw.random() < 0.5:
        return ".jpg", data[: draw.choice(starts)] + b"\xff\xd9"
    return ".jpg", data[:-2] + data[starts[-1] : -2] * draw.choice((5, 500)) + b"\xff\xd9"


def odd_pixels(draw):
    """Whole images of kinds that are rare: 16 bit, floats, palettes, one row, one pixel."""
    mode = draw.choice(MODES)
    kind = "TIFF" if mode in ("F", "CMYK") else "PNG"
    return f".{kind.lower()}", encoded(picture(draw, mode, most=draw.choice((1, 2, 40))), kind)


def no_image(draw):
    """What is called an image and is none."""
    return draw.choice((".png", ".jpg", ".webp", ".gif", ".tiff", "")), draw.choice(
        (b"", b"\0" * 5000, draw.randbytes(3000), b"<!DOCTYPE html><html>not found</html>",
         b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", b"PK\x03\x04" + bytes(99),
         b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\xff\xff\xff\xffWEBP", b"P6\n9999999 9999999\n255\n",
         b"BM" + b"\xff" * 60, b"II*\0\x08\0\0\0\xff\xff" + bytes(60))
    )  # fmt: skip


def good(draw):
    """An honest image, so that scores go on between the others."""
    kind = draw.choice(FORMATS)
    image = picture(draw, least=40)
    return ENDINGS.get(kind, f".{kind.lower()}"), encoded(image, kind)


KINDS = (truncated, flipped, spliced, wrong_size, bomb, text_bomb, many_parts, frames, scans,
         odd_pixels, no_image, good)  # fmt: skip
NAMES = (
    "{}",
    "a\x1b[31m{}",
    "=cmd|{}",
    "-{}",
    "b\n{}",
    "c\u202e{}",
    "[red]{}",
    "x" * 200 + "{}",
    " {} ",
)


def write_corpus(folder, count=1000, seed=0):
    """Writes the files, and beside them what is no file; how many of each kind there are, by name."""
    draw, counts = random.Random(seed), {}
    labels = [Path(folder, label) for label in ("0_real", "1_fake")]
    for label in labels:
        label.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        make = KINDS[i % len(KINDS)]
        ending, data = make(draw)
        name = draw.choice(NAMES) if draw.random() < 0.1 else "{}"
        (labels[i // len(KINDS) % 2] / (name.format(f"{i:05d}") + ending)).write_bytes(data)
        counts[make.__name__] = counts.get(make.__name__, 0) + 1
    _write_others(labels[0])
    return counts


def _write_others(folder):
    """Links in circles and to endless devices, pipes, a file of 200 GB with nothing in it."""
    for name, target in (("loop.png", "loop.png"), ("gone.png", "nowhere"), ("zero.png", "/dev/zero"),
                         ("up", ".."), ("self", ".")):  # fmt: skip
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.png")
    with open(folder / "sparse.png", "wb") as file:
        file.truncate(200 << 30)
    (folder / "folder.png").mkdir()
    deep = folder / "/".join(["d"] * 60)
    deep.mkdir(parents=True)


if __name__ == "__main__":
    print(write_corpus(sys.argv[1], *map(int, sys.argv[2:])))
