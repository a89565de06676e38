"""What is wrong with a labelled set before a detector sees it.

A detector learns whatever tells the labels apart. Where photographs are JPEG files and generated
pictures are PNG, that is the format, and its figures say nothing about generators.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from npr_keras.data.decode import decode
from npr_keras.data.records import FAKE, REAL, ImageSet, Record
from npr_keras.data.walk import Skipped
from npr_keras.errors import UnreadableImageError
from npr_keras.forensics.history import NO_HISTORY, History, read_history

SMALLEST = 6  # images of a label, below which chance explains any rule
GUESSABLE = 0.6  # balanced accuracy of a rule that is worth a warning


@dataclass(frozen=True)
class ImageFacts:
    """What one file is, beside its content.

    Attributes:
        record: Which file.
        content: A digest of its pixels and size; None where it cannot be read.
        error: What was wrong then; else "".
        history: What it says of itself.
    """

    record: Record
    content: bytes | None = None
    error: str = ""
    history: History = NO_HISTORY


@dataclass(frozen=True)
class Rule:
    """The best guess of the label from one fact about the files.

    Attributes:
        text: What it says, such as "PNG files are generated".
        accuracy: Balanced accuracy of the guess.
    """

    text: str
    accuracy: float


@dataclass(frozen=True)
class SetCheck:
    """What was found in one set.

    Attributes:
        name: The set's.
        facts: Of each image.
        unreadable: What was wrong, an entry for each image that cannot be read.
        rule: The best rule, where the label can be guessed by one; else None.
    """

    name: str
    facts: list[ImageFacts] = field(repr=False)
    unreadable: list[str]
    rule: Rule | None


@dataclass(frozen=True)
class Check:
    """What was found in a tree.

    Attributes:
        sets: One entry a set.
        across_labels: Groups of paths with the same pixels, real and generated.
        across_sets: Groups of paths with the same pixels in more than one set, one label.
        within_sets: Groups of paths with the same pixels in one set, one label.
        rule: The best rule over all images, where there is one and more than one set.
        single: Names of sets that lack one of the labels.
        skipped: What the walk passed over.
    """

    sets: list[SetCheck]
    across_labels: list[list[str]]
    across_sets: list[list[str]]
    within_sets: list[list[str]]
    rule: Rule | None
    single: list[str]
    skipped: Skipped = field(default_factory=Skipped)

    @property
    def clean(self) -> bool:
        """Whether nothing was found that a figure could be wrong by."""
        faults = (self.across_labels, self.across_sets, self.within_sets, self.rule, self.single)
        return (
            not any(faults)
            and not self.skipped
            and not any(s.unreadable or s.rule for s in self.sets)
        )


def check_sets(
    sets: Sequence[ImageSet],
    progress: Callable[[int], None] | None = None,
    skipped: Skipped | None = None,
    threads: int = 4,
) -> Check:
    """Reads every image of every set, once.

    Args:
        sets: See `npr_keras.data.folder.find_every_set`.
        progress: Called with the number of images done since the last call.
        skipped: What the walk passed over.
        threads: Images read at once.
    """
    checks = []
    places: dict[bytes, list[tuple[int, Record]]] = {}
    with ThreadPoolExecutor(threads) as pool:
        for number, image_set in enumerate(sets):
            facts = []
            for fact in pool.map(image_facts, image_set.records):
                facts.append(fact)
                if fact.content:
                    places.setdefault(fact.content, []).append((number, fact.record))
                if progress:
                    progress(1)
            unreadable = [fact.error for fact in facts if fact.error]
            checks.append(SetCheck(image_set.name, facts, unreadable, best_rule(facts)))
    groups: dict[str, list[list[str]]] = {"labels": [], "sets": [], "one": []}
    for group in places.values():
        if len(group) > 1:
            kind = "one"
            if len({record.label for _, record in group}) > 1:
                kind = "labels"
            elif len({number for number, _ in group}) > 1:
                kind = "sets"
            groups[kind].append([record.path for _, record in group])
    return Check(
        checks,
        groups["labels"],
        groups["sets"],
        groups["one"],
        best_rule([f for check in checks for f in check.facts]) if len(checks) > 1 else None,
        [s.name for s in sets if len({r.label for r in s.records}) < 2],
        skipped or Skipped(),
    )


def image_facts(record: Record) -> ImageFacts:
    """Reads one file."""
    try:
        pixels = decode(record.path)
    except UnreadableImageError as error:
        return ImageFacts(record, error=str(error))
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.tobytes())
    return ImageFacts(record, digest.digest(), "", read_history(record.path, pixels))


def best_rule(facts: Sequence[ImageFacts]) -> Rule | None:
    """The rule on one fact that guesses the label best; None where none is worth a warning.

    Rules are "this value is of that label" and "at most this much is of that label", for format,
    mode, size, JPEG quality, subsampling and traces of JPEG in other formats: what shows in pixels. A rule has to reach 60 %
    balanced accuracy, and more than chance gives: Fisher's exact test at 5 %, corrected for the
    number of rules that were tried (Bonferroni). In sets of fewer than `SMALLEST` of a label none
    ever does.
    """
    from scipy.stats import fisher_exact

    facts = [fact for fact in facts if not fact.error]
    labels = np.array([fact.record.label for fact in facts])
    if min((labels == REAL).sum(), (labels == FAKE).sum()) < SMALLEST:
        return None
    found: dict[bytes, tuple[Rule, np.ndarray]] = {}
    pasts = [fact.history for fact in facts]
    for text, holds in (*_equalities(pasts), *_thresholds(pasts)):
        rule = _rule(holds, labels, text)
        # Two rules that divide the images alike are one test.
        key = min(np.packbits(holds).tobytes(), np.packbits(~holds).tobytes())
        found.setdefault(key, (rule, holds))
    tried = len(found)
    for rule, holds in sorted(found.values(), key=lambda pair: -pair[0].accuracy):
        if rule.accuracy < GUESSABLE:
            return None
        table = [[int((holds & (labels == label)).sum()), int((~holds & (labels == label)).sum())]
                 for label in (REAL, FAKE)]  # fmt: skip
        if fisher_exact(table).pvalue * tried < 0.05:
            return rule
    return None


_NAMES = {REAL: "real", FAKE: "generated"}
_LISTED = 32  # values of a fact that get a rule each, the most frequent ones


def _equalities(pasts):
    kinds = {
        "{} files are": [past.format for past in pasts],
        "files of mode {} are": [past.mode for past in pasts],
        "images of {} pixels are": [f"{past.width} x {past.height}" for past in pasts],
        "JPEG files with {} colours are": [past.subsampling for past in pasts],
        "images that {} are": ["show JPEG blocks" if past.was_jpeg else "" for past in pasts],
    }
    for text, values in kinds.items():
        counted = Counter(values)
        for value, _ in counted.most_common(_LISTED) if len(counted) > 1 else ():
            if value:
                yield text.format(value), np.array([v == value for v in values])


def _thresholds(pasts):
    kinds = {
        "images at most {} pixels wide are": [past.width for past in pasts],
        "images at most {} pixels high are": [past.height for past in pasts],
        "JPEG files of at most quality {} are": [past.quality for past in pasts],
    }
    for text, values in kinds.items():
        present = np.array([math.nan if v is None else v for v in values], float)
        distinct = np.unique(present[~np.isnan(present)])
        # Beyond some hundreds of distinct values, quantiles of them do.
        if len(distinct) > 256:
            distinct = np.unique(np.quantile(distinct, np.linspace(0, 1, 256), method="lower"))
        for value in distinct[:-1]:
            yield text.format(int(value)), present <= value


def _rule(holds: np.ndarray, labels: np.ndarray, text: str) -> Rule:
    accuracy = (holds[labels == FAKE].mean() + (~holds)[labels == REAL].mean()) / 2
    label = FAKE if accuracy >= 0.5 else REAL
    return Rule(f"{text} {_NAMES[label]}", float(max(accuracy, 1 - accuracy)))
