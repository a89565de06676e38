"""Which of the judged images depend on each other, and whether they are those of last time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npr_keras.data.records import ImageSet, Record

_PART = 4096  # bytes, of the beginning and the end


def digest_of(sets: Sequence[ImageSet]) -> str:
    """Of the images' names and lengths: other images would be another ablation."""
    digest = hashlib.sha256()
    for image_set in sets:
        for record in image_set.records:
            parts = Path(record.path).parts[-3:]
            entry = (image_set.name, parts, record.label, os.path.getsize(record.path))
            digest.update(repr(entry).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def names_of(sets: Sequence[ImageSet]) -> list[str]:
    """What tables call the sets: their names, with their suite's where two have the same."""
    names = [image_set.name for image_set in sets]
    return [
        f"{one.name} ({one.suite})" if names.count(one.name) > 1 and one.suite else one.name
        for one in sets
    ]


def groups_of(sets: Sequence[ImageSet]) -> list[np.ndarray]:
    """Numbers the groups of images that are not independent.

    Suites use one photograph in several sets, and make generated images from photographs of the
    same set. So images belong together that are the same file (their length, beginning and end
    are), or that have the same name in the same class of a set: `0_real/7.png` and `1_fake/7.png`.
    Where such names mean nothing, what is put together is independent all the same, and does no
    harm.

    Returns:
        For each set the number of each image's group, int (n,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers: dict[object, int] = {}
    edges = []
    for image_set in sets:
        for record in image_set.records:
            place = (image_set.suite, image_set.name, record.class_name, Path(record.path).stem)
            ends = (_content(record), place)
            edges.append([numbers.setdefault(end, len(numbers)) for end in ends])
    if not edges:
        return [np.zeros(0, int) for _ in sets]
    one, other = np.array(edges).T
    graph = coo_array((np.ones(len(edges)), (one, other)), shape=[len(numbers)] * 2)
    _, component = connected_components(graph, directed=False)
    _, group = np.unique(component[one], return_inverse=True)
    return np.split(group, np.cumsum([len(s.records) for s in sets])[:-1])


def _content(record: Record) -> bytes:
    digest = hashlib.sha256()
    with open(record.path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        digest.update(repr(size).encode() + file.read(_PART))
        file.seek(max(0, size - _PART))
        digest.update(file.read(_PART))
    return digest.digest()
