"""`npr-keras data download`."""

from __future__ import annotations

import sys

import click


@click.command("download")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--data-root",
    envvar="NPR_DATA",
    required=True,
    type=click.Path(file_okay=False),
    help="Where data sets lie (or NPR_DATA).",
)
@click.option("--dry-run", is_flag=True, help="Ask for the sizes, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before it begins.")
@click.option("--keep-archives", is_flag=True, help="Keep archives after they were unpacked.")
def command(names, data_root, dry_run, yes, keep_archives):
    """Fetch published data sets: progan (to train on), a suite, all28, or photos-lab.

    Says first how much it is, and asks. Broken off, the same command goes on. Files are checked
    against the digest that the server tells, if any. Archives are unpacked safely: no file
    outside the folder, none replaced.

    \b
    npr-keras data download forensynths --data-root DIR --dry-run
    npr-keras data download progan --data-root DIR
    """
    from npr_keras.download import get_download, make_plan
    from npr_keras.evaluation.suites import ALL, published_suites
    from npr_keras_cli.download_view import show_plans

    wanted = []
    for name in names:
        wanted += list(published_suites()) if name == ALL else [name]
    plans = [make_plan(get_download(name), data_root) for name in dict.fromkeys(wanted)]
    show_plans(plans)
    if dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody is there to be asked: give --yes to begin.")
        click.confirm("Begin?", abort=True, err=True)
    _fetch(plans, keep_archives, data_root)


def _fetch(plans, keep_archives: bool, data_root) -> None:
    """Fetches each `Plan`, and says what is on disk then."""
    from npr_keras.download import run_plan
    from npr_keras.evaluation.suites import locate, published_suites
    from npr_keras_cli.console import say
    from npr_keras_cli.download_view import download_bar

    for plan in plans:
        suite = published_suites().get(plan.download.name)
        keep = [n for s in suite.sets for n in (s.folder, *s.also)] if suite else []
        with download_bar() as bar:
            task = bar.add_task(plan.download.title, total=plan.size)

            def advance(name, done, bar=bar, task=task):
                bar.update(task, advance=done, description=name)

            count = run_plan(plan, keep_archives, advance, keep)
        say(f"{plan.download.title}: {count:,} files in {plan.folder}")
        if suite:
            (located,) = locate((suite,), data_root)
            missing = f", missing: {', '.join(located.missing)}" if located.missing else ""
            say(f"{len(located.found)} of {len(suite.sets)} sub-testsets are there{missing}")
