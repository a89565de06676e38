"""What people name as images: sets to evaluate on, sources to train on, photographs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from npr_keras.data.folder import find_every_set, find_sets
from npr_keras.data.manifest import is_manifest, read_manifest
from npr_keras.data.records import FAKE, REAL, ImageSet, Record
from npr_keras.data.sources import SIMULATED, locate_source
from npr_keras.data.walk import Skipped, list_images
from npr_keras.errors import LayoutError
from npr_keras.evaluation.resolve import resolve
from npr_keras.evaluation.suites import get_suites, locate

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Inputs:
    """Sets, and what a person has to know of how they were found.

    Attributes:
        sets: The sets.
        skipped: What was passed over.
        warnings: Sentences without a full stop.
        missing, ignored: Of a suite, see `npr_keras.evaluation.resolve.Resolved`.
    """

    sets: list[ImageSet]
    skipped: Skipped
    warnings: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def labelled_sets(
    data: str | os.PathLike, pool: bool = False, names: tuple[str, str] | None = None
) -> Inputs:
    """The sets in a folder, or a table, see `npr_keras.data.folder.find_sets`."""
    skipped = Skipped()
    sets, others = find_sets(data, pool, names, skipped)
    said = f"left out, being for training or validation: {', '.join(others)}"
    return Inputs(sets, skipped, (said,) if others else ())


def suite_sets(
    name: str,
    data_root: str | os.PathLike | None = None,
    allow_missing: bool = False,
    pool: bool = False,
    progress: Progress | None = None,
) -> Inputs:
    """The sub-testsets of a suite.

    Args:
        name: See `npr_keras.evaluation.suites.get_suites`, or "simulated", which is made on first use.
        data_root: Where suites lie.
        allow_missing: Take what is there.
        pool: Take the simulated one as one set.
        progress: See `npr_keras.simulation.builtin.make_simulated`.

    Raises:
        ConfigError, LayoutError, MissingSetError: If there is no such suite, or it is not there whole.
    """
    if name == SIMULATED:
        return labelled_sets(_simulated("suite", progress), pool)
    suites = get_suites(name)
    if data_root is None:
        raise LayoutError(
            f"The suite {name} is looked for under a data root, and none is set. "
            "Give --data-root DIR or set NPR_DATA. To fetch suites: npr-keras data download "
            "--help; without a download: --suite simulated."
        )
    skipped = Skipped()
    found = resolve(locate(suites, data_root), allow_missing, skipped)
    warnings = []
    if found.ignored:
        warnings.append(f"not part of the suite, and ignored: {', '.join(found.ignored)}")
    if found.missing:
        warnings.append(f"missing, so the means are over fewer sets: {', '.join(found.missing)}")
    return Inputs(found.sets, skipped, tuple(warnings), found.missing, found.ignored)


def real_images(data: str | os.PathLike, names: tuple[str, str] | None = None) -> Inputs:
    """All images in a folder as one set of photographs; where it holds labels, those of real ones.

    Raises:
        LayoutError: If there are none.
    """
    data = os.fspath(data)
    skipped = Skipped()
    warnings: tuple[str, ...] = ()
    if is_manifest(data):
        records = [Record(r.path, REAL) for r in read_manifest(data, False) if r.label != FAKE]
    elif not os.path.isdir(data):
        raise LayoutError(f"{data}: no such folder. Expected one with photographs in it.")
    else:
        paths = list_images(data, skipped)
        try:
            labelled: Sequence[Record] = [
                record for s in find_every_set(data, names) for record in s.records
            ]
        except LayoutError:
            labelled = []
        records = [Record(path, REAL) for path in paths]
        if any(record.label == FAKE for record in labelled):
            records = [record for record in labelled if record.label == REAL]
            left = len(paths) - len(records)
            warnings = (f"{left:,} of the images are not labelled real, and are left out",)
    if not records:
        raise LayoutError(f"No real images in {data}.")
    return Inputs([ImageSet(data, tuple(records))], skipped, warnings)


def source_folder(
    source: str, data_root: str | os.PathLike | None = None, progress: Progress | None = None
) -> Path:
    """Where a training source lies; the simulated one is made on first use.

    Args:
        source: See `npr_keras.data.sources.locate_source`, or "simulated".
        data_root: Where named sources lie.
        progress: See `npr_keras.simulation.builtin.make_simulated`.
    """
    if source == SIMULATED and not Path(SIMULATED).is_dir():
        return _simulated("source", progress)
    return locate_source(source, data_root)


def _simulated(part: str, progress: Progress | None) -> Path:
    from npr_keras.simulation.builtin import make_simulated  # imports Keras

    return make_simulated(part, progress)[0]
