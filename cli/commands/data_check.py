"""`npr-keras data check`."""

from __future__ import annotations

import sys

import click

from npr_keras_cli.options import label_options


@click.command("check")
@click.argument("root", type=click.Path(exists=True))
@label_options
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(root, names, as_json):
    """Check a labelled data set for problems that a detector would learn.

    ROOT is a folder, or a CSV or Parquet table. Reports counts, unreadable files, files that are no
    images, duplicates (under both labels, or in several sets), formats, sizes, JPEG qualities and
    traces of JPEG by label, and warns where the label can be guessed from those alone. Every image
    is read. Exit code 3 if anything was found.

    \b
    npr-keras data check DIR
    """
    from npr_keras.data.folder import find_every_set
    from npr_keras.data.walk import Skipped
    from npr_keras.forensics.check import check_sets
    from npr_keras_cli.check_view import check_json, show_check
    from npr_keras_cli.console import progress_bar

    skipped = Skipped()
    sets = find_every_set(root, names, skipped)
    with progress_bar() as bar:
        task = bar.add_task("reading", total=sum(len(s.records) for s in sets), note="")
        check = check_sets(sets, lambda done: bar.update(task, advance=done), skipped)
    if as_json:
        click.echo(check_json(check, root), nl=False)
    else:
        show_check(check, root)
    if not check.clean:
        sys.exit(3)
