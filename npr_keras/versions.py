"""What is installed, as far as it decides pixels, arithmetic and files."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

_PACKAGES = ("npr-keras", "keras", "tensorflow", "torch", "jax", "numpy", "pillow")
_CODECS = {"libjpeg_turbo": "libjpeg-turbo", "webp": "libwebp", "avif": "libavif"}


def versions() -> dict[str, str]:
    """Versions of Python, of the packages and of Pillow's codecs; what is absent is left out.

    Reads metadata only: nothing heavy is imported. Two results can be compared only where the
    codecs agree, because the codecs decide the pixels.
    """
    found = {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
    }
    for package in _PACKAGES:
        version = package_version(package)
        if version:
            found[package] = version
    from PIL import features

    for codec, name in _CODECS.items():
        version = features.version(codec)
        if version:
            found[name] = version
    return found


def package_version(package: str) -> str | None:
    """A package's version, or None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
