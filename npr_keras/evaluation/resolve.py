"""Suites on disk to what is judged: one set of records for each sub-testset."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npr_keras.config import PROTOCOLS
from npr_keras.data.folder import find_sets
from npr_keras.data.records import ImageSet
from npr_keras.data.walk import Skipped
from npr_keras.errors import LayoutError, MissingSetError
from npr_keras.evaluation.suites import Located, SubTestset


@dataclass(frozen=True)
class Resolved:
    """What there is to judge.

    Attributes:
        sets: The sub-testsets, in the suites' order, each with its suite and protocol.
        missing: What the suites hold and the disk does not: "suite/folder" or "suite/folder/class".
        ignored: Folders that are beside the suites' own: "suite/folder" or "suite/folder/class".
    """

    sets: list[ImageSet]
    missing: list[str]
    ignored: list[str]


def resolve(
    located: Sequence[Located], allow_missing: bool = False, skipped: Skipped | None = None
) -> Resolved:
    """Lists the images of suites; the table of suites decides which folders count.

    Args:
        located: See `npr_keras.evaluation.suites.locate`.
        allow_missing: Take what is there. A sub-testset without one of its classes is left out: its
            figures would be others.
        skipped: Filled in with what was passed over.

    Raises:
        MissingSetError: If anything is missing and that is not allowed, or nothing is there.
    """
    resolved = Resolved([], [], [])
    for one in located:
        title = one.suite.title
        resolved.ignored.extend(f"{title}/{name}" for name in one.extra)
        for sub in one.suite.sets:
            folder = one.found.get(sub.folder)
            found = _records(sub, folder, resolved, skipped) if folder else None
            if folder is None:
                resolved.missing.append(f"{title}/{sub.folder}")
            if found:
                resolved.sets.append(found)
    if resolved.missing and (not allow_missing or not resolved.sets):
        raise MissingSetError(_complaint(located, resolved))
    return resolved


def _records(
    sub: SubTestset, folder: Path, resolved: Resolved, skipped: Skipped | None
) -> ImageSet | None:
    """The images of one sub-testset; None, and a note, where it is not whole."""
    name = f"{sub.suite}/{sub.folder}"
    parts: list[tuple[Path | None, str]] = [(folder, "")]
    if sub.classes:
        children = {p.name.lower(): p for p in sorted(folder.iterdir()) if p.is_dir()}
        parts = [(children.get(c.lower()), c) for c in sub.classes]
        own = {c.lower() for c in sub.classes}
        resolved.ignored.extend(
            f"{name}/{path.name}" for key, path in children.items() if key not in own
        )
    records = []
    for path, class_name in parts:
        try:
            found = find_sets(path, True, None, skipped)[0][0] if path else None
        except LayoutError:
            found = None
        if found is None:
            resolved.missing.append(f"{name}/{class_name}".rstrip("/"))
            continue
        records += [
            dataclasses.replace(r, class_name=class_name or r.class_name) for r in found.records
        ]
    if any(entry.startswith(f"{name}/") or entry == name for entry in resolved.missing):
        return None
    return ImageSet(sub.folder, tuple(records), sub.suite, PROTOCOLS[sub.protocol])


def _complaint(located: Sequence[Located], resolved: Resolved) -> str:
    shown = "\n".join(f"  {name}" for name in resolved.missing[:12])
    more = f"\n  and {len(resolved.missing) - 12} more" if len(resolved.missing) > 12 else ""
    total = sum(len(one.suite.sets) for one in located)
    places = "\n".join(
        f"  {one.suite.title}: {one.suite.origin}"
        for one in located
        if one.missing and one.suite.origin
    )
    where = f"\nWhere they can be had:\n{places}" if places else ""
    return (
        f"{len(resolved.sets)} of {total} sub-testsets are there whole. Missing, or without labelled "
        f"images:\n{shown}{more}{where}\n"
        "Judge what is there by --allow-missing; every mean then says over how many it is."
    )
