"""A preset's checkpoint from its authors to one of our files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from npr_keras.download.fetch import fetch, look_up
from npr_keras.errors import DownloadError
from npr_keras.presets import Preset


def fetch_checkpoint(preset: Preset, progress: Callable[[int], None] | None = None) -> Path:
    """Brings the official checkpoint, and compares it with the digest that is known.

    Args:
        preset: One with an address.
        progress: Called with the number of bytes that came.

    Returns:
        The file; it goes on where an earlier call was broken off.

    Raises:
        DownloadError: If it cannot be had, or is another file than the one that is known.
    """
    target = preset.path.with_suffix(".pth")
    fetch(look_up(preset.address), target, progress)
    if not preset.fits(target.read_bytes()):
        target.unlink()
        raise DownloadError(
            f"{preset.address}: what came is not the file that this version knows as {preset.name}. It "
            "was thrown away. Its authors may have replaced it: convert it yourself with npr-keras convert."
        )
    return target
