"""The suites as tables: all of them in short, or one set by set."""

from __future__ import annotations

import os

from npr_keras.errors import LayoutError
from npr_keras_cli.console import stdout, warn, warn_skipped


def judged_sets(data, pool: bool, names=None) -> list:
    """The sets in a folder, or a table, of the user's; says what is left out."""
    from npr_keras.data.folder import find_sets
    from npr_keras.data.walk import Skipped

    skipped = Skipped()
    sets, ignored = find_sets(data, pool, names, skipped)
    warn_skipped(skipped)
    if ignored:
        warn(f"left out, being for training or validation: {', '.join(ignored)}")
    return sets


def sets_of_suite(
    name: str, data_root: str | None, allow_missing: bool, pool: bool
) -> tuple[list, dict]:
    """The sets of a suite, the simulated one included, and what was "missing" and "ignored"."""
    if name == "simulated":
        from npr_keras_cli.simulation_view import made_simulated

        return judged_sets(made_simulated("suite")[0], pool), {"missing": [], "ignored": []}
    return suite_sets(name, data_root, allow_missing)


def suite_sets(name: str, data_root: str | None, allow_missing: bool) -> tuple[list, dict]:
    """The sub-testsets of a suite; says what is ignored, and what is missing where that is allowed."""
    from npr_keras.data.walk import Skipped
    from npr_keras.evaluation.gather import gather
    from npr_keras.evaluation.suites import get_suites, locate

    suites = get_suites(name)
    if data_root is None:
        raise LayoutError(
            f"The suite {name} is looked for under a data root, and none is set. "
            "Give --data-root DIR or set NPR_DATA. To fetch suites: npr-keras data download "
            "--help; without a download: --suite simulated."
        )
    skipped = Skipped()
    gathered = gather(locate(suites, data_root), allow_missing, skipped)
    warn_skipped(skipped)
    if gathered.ignored:
        warn(f"not part of the suite, and ignored: {', '.join(gathered.ignored)}")
    if gathered.missing:
        warn(f"missing, so the means are over fewer sets: {', '.join(gathered.missing)}")
    return gathered.sets, {"missing": gathered.missing, "ignored": gathered.ignored}


def describe(suite, located) -> dict:
    """A suite as plain values; what is on disk of it where `located` is given."""
    sets = [
        {
            "folder": sub.folder,
            "generator": sub.generator,
            "protocol": sub.protocol,
            "classes": list(sub.classes),
            "reals": sub.reals,
            "images": sub.images,
        }
        for sub in suite.sets
    ]
    described = {
        "suite": suite.name,
        "title": suite.title,
        "table": suite.table,
        "origin": suite.origin,
        "sets": sets,
    }
    if located:
        for row in sets:
            path = located.found.get(row["folder"])
            row["path"] = os.fspath(path) if path else None
        described["root"] = os.fspath(located.root) if located.root else None
        described["missing"] = list(located.missing)
        described["extra"] = list(located.extra)
    return described


def show_suites(described: list[dict]) -> None:
    """A line for each suite, and what is missing."""
    print_line = stdout().print
    on_disk = "missing" in described[0]
    print_line(f"{'suite':21}{'sets':>4}{'  on disk' if on_disk else ''}", style="bold")
    for one in described:
        count = len(one["sets"])
        there = f"  {count - len(one['missing'])} of {count}" if on_disk else ""
        _print(f"{one['suite']:21}{count:>4}{there}")
    total = sum(len(one["sets"]) for one in described)
    found = total - sum(len(one["missing"]) for one in described) if on_disk else 0
    there = f"  {found} of {total}" if on_disk else ""
    print_line(f"{'all28':21}{total:>4}{there}", style="bold")
    for one in described if on_disk else ():
        if one["missing"] and one["root"]:
            _print(f"\n{one['suite']}: missing in {one['root']}: {', '.join(one['missing'])}")
        if one["extra"]:
            _print(f"\n{one['suite']}: not part of it, and ignored: {', '.join(one['extra'])}")
    print_line("\nWhere they can be had:", style="bold")
    for one in described:
        _print(f"  {one['suite']:21}{one['origin'] or '–'}")
    if not on_disk:
        print_line("\nWhat is there of them: --data-root DIR, or NPR_DATA.", style="dim")


def show_sets(one: dict) -> None:
    """A suite set by set."""
    print_line = stdout().print
    table = f" (Table {one['table']})" if one["table"] else ""
    print_line(f"{one['title']}{table}", style="bold", markup=False)
    if one["origin"]:
        _print(f"from {one['origin']}")
    if "root" in one:
        _print(f"in {one['root'] or 'no folder under the data root'}")
    print_line(
        f"\n{'folder':19}{'generator':20}{'protocol':10}{'images':>6}{'classes':>8}  reals",
        style="bold",
    )
    for row in one["sets"]:
        gone = "path" in row and row["path"] is None
        images = f"{row['images']:,}" if row["images"] else "–"
        line = (
            f"{row['folder']:19}{row['generator']:20}{row['protocol']:10}{images:>6}"
            f"{len(row['classes']) or '–':>8}  {'MISSING' if gone else row['reals'] or '–'}"
        )
        _print(line)
    if one.get("extra"):
        _print(f"\nnot part of it, and ignored: {', '.join(one['extra'])}")
    print_line("")


def _print(text: str) -> None:
    stdout().print(text.rstrip(), markup=False, soft_wrap=True)
