"""The folder for what can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """NPR_CACHE, or else the system's place for caches."""
    import platformdirs

    return Path(os.environ.get("NPR_CACHE") or platformdirs.user_cache_dir("npr-keras"))
