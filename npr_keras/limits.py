"""Every limit of what is read, decoded and scored, in one table.

Each is far above what honest images need, and low enough that no file fills the memory.
"""

from __future__ import annotations

import os
import zipfile

MOST_BYTES = 256 << 20  # of an image file
MOST_PIXELS = (
    200_000_000  # of the largest frame that a file declares; today's largest cameras' 200 MP
)
MOST_SIDE = 1 << 16  # pixels; what runs detectors is not made for longer ones
# RGB bytes for one of the file, of more than 4 megapixels. Photographs grow 10 to 250 times, a white
# JPEG 170; what grows more is one colour, says nothing, and costs as much as a photograph.
MOST_GROWTH = 1000
GROWTH_FROM = 4_000_000  # pixels
MOST_PARTS = 1 << 20  # chunks and blocks of an image file: each costs a microsecond or so
MOST_SCANS = 100  # of a JPEG, ten in honest ones: each goes over all of the picture again
MOST_SCORED = (
    40_000_000  # pixels that a detector sees at once; its first layer takes 64 bytes for each
)
MOST_UNTILED = 4_000_000  # in a SavedModel, where a network cannot be run in tiles: some 1.2 GB
MOST_SERVED = 40_000_000  # pixels of all frames of an image in a request
MOST_ROWS = 4096  # of a request
MOST_VALUES = 1 << 23  # of a JSON body: numbers, lists, objects; each takes some 40 bytes
TILE = 768  # pixels a side of the tiles of a large image, without what is around them
MOST_GRAPH = 2 << 30  # bytes of a SavedModel's graph; protobuf takes no more
MOST_UNPACKED = 4 << 30  # bytes of what a model's archive holds
MOST_MEMBERS = 100_000  # files in it
_MOST_SHRUNK = 100  # times, of what is more than 64 MiB


def require_sane_archive(path: str | os.PathLike) -> None:
    """Raises ValueError for a zip file that would fill the memory or the disk; others pass.

    By what its directory declares; what is more than declared is an error of zipfile's.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"an archive of {len(members):,} files, more than {MOST_MEMBERS:,}")
    if size > MOST_UNPACKED:
        raise ValueError(f"an archive of {size:,} bytes, more than the {MOST_UNPACKED:,} allowed")
    if size > 64 << 20 and size > _MOST_SHRUNK * os.path.getsize(path):
        raise ValueError(f"an archive that grows {size // os.path.getsize(path):,} times")
