"""`npr-keras suites`."""

from __future__ import annotations

import json

import click


@click.command("suites")
@click.argument("names", nargs=-1)
@click.option(
    "--data-root",
    envvar="NPR_DATA",
    type=click.Path(),
    help="Where the suites lie (or NPR_DATA).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(names, data_root, as_json):
    """List the suites, what is on disk of them, and where they can be had.

    NAMES are suites, or TOML files with suites of your own; each is then shown set by set.

    \b
    npr-keras suites --data-root DIR
    npr-keras suites forensynths
    """
    from npr_keras.evaluation.suites import ALL, described, get_suites, locate
    from npr_keras_cli.suites_view import show_sets, show_suites

    suites = [suite for name in names or (ALL,) for suite in get_suites(name)]
    located = locate(suites, data_root) if data_root else [None] * len(suites)
    rows = [described(*pair) for pair in zip(suites, located, strict=True)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif names:
        for one in rows:
            show_sets(one)
    else:
        show_suites(rows)
