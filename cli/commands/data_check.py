"""`npr-keras data check`."""

from __future__ import annotations

import sys

import click


@click.command("check")
@click.argument("root", type=click.Path(exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(root, as_json):
    """Find what is wrong with labelled images before a detector learns it.

    Counts, unreadable files, images that are there twice (the same pixels under both labels, or in
    several sets), formats, sizes and JPEG qualities by label, and a warning where the label can
    be guessed from those alone. Every image is read. Exit code 3 where anything was found.

    \b
    npr-keras data check DIR
    """
    from npr_keras.data.check import check_sets
    from npr_keras.data.folder import find_every_set
    from npr_keras_cli.check_view import check_json, show_check
    from npr_keras_cli.console import progress_bar

    sets = find_every_set(root)
    with progress_bar() as bar:
        task = bar.add_task("reading", total=sum(len(s.records) for s in sets), note="")
        check = check_sets(sets, lambda done: bar.update(task, advance=done))
    if as_json:
        click.echo(check_json(check, root), nl=False)
    else:
        show_check(check, root)
    if not check.clean:
        sys.exit(3)
