"""What `npr-keras data check` found: tables, then each fault by name."""

from __future__ import annotations

import json
import os
from collections import Counter

from npr_keras.visible import visible
from npr_keras_cli.console import stdout

_SHOWN = 8  # of each kind of fault


def show_check(check, root: str) -> None:
    """Prints a `Check`."""
    head = f"{'set':24}{'label':11}{'images':>7}  {'format':12}{'size':16}{'quality':>7}"
    stdout().print(head, style="bold")
    for one in check.sets:
        shown = one.name
        for label, name in enumerate(("real", "generated")):
            facts = [f for f in one.facts if f.record.label == label]
            if facts:
                _line(shown, name, facts)
                shown = ""
        classes = _classes(one)
        if len(classes) > 1:
            text = ", ".join(
                f"{name or '–'} {real} + {fake}" for name, (real, fake) in classes.items()
            )
            stdout().print(f"  classes, real + generated: {text}", markup=False, style="dim")
    faults = _faults(check, root)
    stdout().print()
    if not faults:
        count = sum(len(one.facts) for one in check.sets)
        stdout().print(
            f"No problems in {count:,} images: all readable, no duplicates, and neither\n"
            "format, size, quality nor traces of JPEG tell the label."
        )
    small = [one.name for one in check.sets if _is_small(one)]
    if small:
        stdout().print(
            f"Too small to tell whether format, size or quality tells the label: {', '.join(small)}",
            markup=False,
            soft_wrap=True,
        )
    for head, lines in faults:
        stdout().print(head, style="bold", markup=False, soft_wrap=True)
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        for line in [*lines[:_SHOWN], *more]:
            stdout().print(f"  {line}", markup=False, soft_wrap=True)


def check_json(check, root: str) -> str:
    """A `Check` as JSON."""
    sets = []
    for one in check.sets:
        by_label = {}
        for label, name in enumerate(("real", "generated")):
            facts = [f for f in one.facts if f.record.label == label and not f.error]
            by_label[name] = {
                "images": len(facts),
                "formats": Counter(f.history.format for f in facts),
                "modes": Counter(f.history.mode for f in facts),
                "sizes": Counter(f"{f.history.width}x{f.history.height}" for f in facts),
                "qualities": Counter(
                    str(f.history.quality) for f in facts if f.history.quality is not None
                ),
            }
        sets.append(
            {
                "set": one.name,
                "classes": _classes(one),
                **by_label,
                "unreadable": one.unreadable,
                "rule": _rule(one.rule),
            }
        )
    report = {
        "root": root,
        "clean": check.clean,
        "sets": sets,
        "rule": _rule(check.rule),
        "single_label": check.single,
        "duplicates_across_labels": check.across_labels,
        "duplicates_across_sets": check.across_sets,
        "duplicates_within_sets": check.within_sets,
        "passed_over": {**check.skipped.endings},
        "not_followed": list(check.skipped.named.values()),
    }
    return json.dumps(report, indent=2) + "\n"


def _classes(one) -> dict[str, tuple[int, int]]:
    """Numbers of real and generated images of each class of a set."""
    counted = Counter((f.record.class_name, f.record.label) for f in one.facts)
    names = sorted({name for name, _ in counted})
    return {name: (counted[name, 0], counted[name, 1]) for name in names}


def _is_small(one) -> bool:
    from npr_keras.forensics.check import SMALLEST

    labels = Counter(f.record.label for f in one.facts if not f.error)
    return 0 < min(labels[0], labels[1]) < SMALLEST


def _rule(rule) -> dict | None:
    return {"text": rule.text, "balanced_accuracy": rule.accuracy} if rule else None


def _line(set_name: str, label: str, facts) -> None:
    readable = [f for f in facts if not f.error]
    formats = _mixture([f.history.format for f in readable])
    sizes = _mixture([f"{f.history.width}x{f.history.height}" for f in readable])
    qualities = sorted(f.history.quality for f in readable if f.history.quality is not None)
    quality = f"{qualities[0]}–{qualities[-1]}" if qualities else "–"
    if qualities and qualities[0] == qualities[-1]:
        quality = str(qualities[0])
    if len(set_name) > 23:
        stdout().print(set_name, markup=False, soft_wrap=True)
        set_name = ""
    line = f"{set_name:24}{label:11}{len(facts):>7,}  {formats:12}{sizes:16}{quality:>7}"
    stdout().print(line, markup=False, soft_wrap=True)


def _mixture(values) -> str:
    """`PNG`, or the most frequent value and how many others there are: `PNG +1`."""
    counted = Counter(values)
    if not counted:
        return "–"
    (value, _), *others = counted.most_common()
    return f"{value} +{len(others)}" if others else value


def _faults(check, root: str) -> list[tuple[str, list[str]]]:
    """Each kind of fault that there is: its head, and a line for every case."""
    faults = []
    base = root if os.path.isdir(root) else os.path.dirname(root) or "."
    unreadable = [reason for one in check.sets for reason in one.unreadable]
    if unreadable:
        faults.append(
            (_count(len(unreadable), "image cannot be read", "images cannot be read"), unreadable)
        )
    if check.skipped.endings:
        head = f"Passed over in the label folders, not images: {check.skipped.summary()}"
        faults.append((head, []))
    if check.skipped.outside:
        faults.append((f"Images in no label folder: {check.skipped.outside:,}", []))
    if check.skipped.named:
        faults.append(("Not followed", list(check.skipped.named.values())))
    if check.single:
        faults.append(("Sets with one label only", check.single))
    kinds = (
        (check.across_labels, "The same picture is both real and generated: one label is wrong"),
        (check.across_sets, "The same picture is in more than one set"),
        (check.within_sets, "The same picture is there twice"),
    )
    for groups, head in kinds:
        if groups:
            lines = [
                " = ".join(visible(os.path.relpath(path, base)) for path in group)
                for group in groups
            ]
            faults.append((f"{head} ({len(groups)})", lines))
    rules = [(one.name, one.rule) for one in check.sets if one.rule]
    rules += [("all sets", check.rule)] if check.rule else []
    if rules:
        faults.append(
            (
                "The label can be guessed without looking at the picture (balanced accuracy)",
                [f"{name}: {rule.text}: {100 * rule.accuracy:.1f} %" for name, rule in rules],
            )
        )
    return faults


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
