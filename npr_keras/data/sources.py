"""Named training sources: where they lie under a data root."""

from __future__ import annotations

import os
from pathlib import Path

from npr_keras.data.manifest import is_manifest
from npr_keras.data.walk import archive_hint
from npr_keras.errors import LayoutError

# Name -> the folders under the data root that people unpack it to, "." being the root itself.
SOURCES = {"progan": ("progan", "ForenSynths_train_val", "ForenSynths", "CNNDetection", ".")}
SIMULATED = "simulated"  # made, not found: see npr_keras.simulation.builtin
_WHERE = (
    "To fetch the ProGAN training set (72 GB): npr-keras data download progan --data-root DIR. "
    "Without a download: --source simulated, or any folder of your own with "
    "train/<class>/{0_real,1_fake}: --source DIR."
)


def locate_source(source: str, data_root: str | os.PathLike | None) -> Path:
    """The folder of a source.

    Args:
        source: One of `SOURCES`, or a folder.
        data_root: Where the named sources lie; needed only for those.

    Raises:
        LayoutError: If there is no such folder, naming what was looked for.
    """
    if source not in SOURCES or (data_root is None and Path(source).is_dir()):
        if not Path(source).is_dir() and not is_manifest(source):
            hint = archive_hint(source)
            raise LayoutError(
                hint
                or f"No such source: {source}. Expected a folder, a CSV or Parquet table, or one of {', '.join([*SOURCES, SIMULATED])}."
            )
        return Path(source)
    if data_root is None:
        raise LayoutError(
            f"The source {source} is looked for under a data root, and none is set. "
            f"Give --data-root DIR or set NPR_DATA. {_WHERE}"
        )
    tried = [Path(data_root, name) for name in SOURCES[source]]
    for folder in tried:
        if (folder / "train").is_dir():
            return folder
    raise LayoutError(
        f"No {source} under {os.fspath(data_root)}. Looked for a folder `train` in "
        f"{', '.join(map(str, tried))}. {_WHERE}"
    )
