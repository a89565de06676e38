"""Every limit of what is read, decoded and scored, in one table; docs/reliability.md says why.

Each is far above what honest images need, and low enough that no file fills the memory.
"""

from __future__ import annotations

MOST_BYTES = 256 << 20  # of an image file
MOST_PIXELS = (
    200_000_000  # of the largest frame that a file declares; today's largest cameras' 200 MP
)
MOST_SIDE = 1 << 16  # pixels; what runs detectors is not made for longer ones
MOST_SCORED = (
    40_000_000  # pixels that a detector sees at once; its first layer takes 64 bytes for each
)
MOST_SERVED = 40_000_000  # pixels of all frames of an image in a request
MOST_ROWS = 4096  # of a request
