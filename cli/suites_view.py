"""The suites as tables: all of them in short, or one set by set."""

from __future__ import annotations

from npr_keras_cli.console import stdout


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
