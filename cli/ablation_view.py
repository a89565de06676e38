"""Ablations as a person watches them: the plan, a line a run, and the table in the end."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import click

from npr_keras_cli.backend import import_tensorflow_quietly
from npr_keras_cli.console import progress_bar, say, stdout


def _prepared(options: dict):
    """The grid, its plan, a function from variants to sources, and the judged sets."""
    from npr_keras.ablation.grid import get_grid
    from npr_keras.ablation.plan import Plan
    from npr_keras.data.folder import find_source
    from npr_keras.errors import ConfigError
    from npr_keras_cli.suites_view import judged_sets, sets_of_suite
    from npr_keras_cli.training_view import source_folder

    grid = get_grid(options["grid"])
    folder = source_folder(options)
    if options["data"]:
        sets = judged_sets(options["data"], False)
    else:
        sets, _ = sets_of_suite(options["suite"], options["data_root"], False, False)
    source = find_source(folder, options["classes"])

    def source_of(variant):
        classes = variant.classes
        if not classes:
            return source
        if isinstance(classes, int):
            if classes > len(source.classes):
                raise ConfigError(
                    f"{variant.name}: the source has {len(source.classes)} classes, not {classes}."
                )
            classes = source.classes[:classes]
        return find_source(folder, classes)

    out = Path(options["out"] or Path("ablations", grid.name))
    described = {
        "source": Path(options["source"]).resolve().name,
        "judged on": Path(options["data"] or options["suite"]).resolve().name,
        "fingerprint": source.fingerprint(),
        "backend": options["backend"],
    }
    plan = Plan.of(out, grid, options["seeds"], options["shared"], described)
    return grid, plan, source_of, sets


def dry_run(options: dict) -> None:
    """Lists the runs; measures a few steps to say how long they may take."""
    grid, plan, source_of, sets = _prepared(options)
    import_tensorflow_quietly()
    from npr_keras.ablation.estimate import seconds_of
    from npr_keras.ablation.run import check_default, said_by

    check_default(plan, grid, source_of)
    names = {variant.slug: variant for variant in grid.variants}
    by_variant: dict[str, float | str] = {}
    total = 0.0
    for run in plan.runs:
        variant = names[run.variant]
        if run.variant not in by_variant and not run.is_done:
            try:
                by_variant[run.variant] = seconds_of(variant, plan, source_of(variant), sets)
            except Exception as error:  # whatever it is, it is said, and the others go on
                by_variant[run.variant] = said_by(error)
        seconds = 0.0 if run.is_done else by_variant[run.variant]
        if isinstance(seconds, str):
            line = f"{variant.name:34} seed {run.seed:<6}     fails: {seconds}"
        else:
            total += seconds
            state = "done" if run.is_done else f"{seconds:6.0f} s"
            line = f"{variant.name:34} seed {run.seed:<6} {state:>10}"
        stdout().print(line, markup=False, soft_wrap=True)
    say(f"\n{len(plan.runs)} runs, about {total / 60:.0f} minutes here, from a few steps of each.")


def run_ablation(options: dict) -> tuple[dict, int]:
    """Does what is left to do; returns the result, and how many runs failed."""
    grid, plan, source_of, sets = _prepared(options)
    import_tensorflow_quietly()
    import keras

    from npr_keras.ablation.result import ablation_result
    from npr_keras.ablation.run import run_grid

    done = sum(run.is_done for run in plan.runs)
    more = f", {done} of them done before" if done else ""
    say(f"{grid.name}: {len(plan.runs)} runs{more}, in {plan.folder}")
    names = {variant.slug: variant.name for variant in grid.variants}
    failures: dict = {}
    begun = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("", total=len(plan.runs), completed=done, note="")

        def show(what):
            label = f"{names[what.run.variant]}, seed {what.run.seed}"
            if what.state == "begun":
                bar.update(task, description=label, completed=what.done)
            elif what.state == "waiting":
                bar.update(task, description=f"waiting for {what.note}")
            elif what.state == "failed":
                failures[label] = what.note
                bar.console.print(f"failed: {label}: {what.note}", markup=False)
            else:
                bar.update(task, completed=what.done)
                bar.console.print(f"{what.done}/{what.total}  {label}", markup=False)

        class Epochs(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                bar.update(task, note=f"epoch {epoch + 1}")

        try:
            run_grid(plan, grid, source_of, sets, show, lambda run: [Epochs()], options["pipeline"])
        except KeyboardInterrupt:
            bar.stop()
            say("\nInterrupted. What was done is kept; the same command goes on with it.")
            raise SystemExit(1) from None
    say(f"{(time.monotonic() - begun) / 60:.0f} minutes\n")
    if failures and not any(run.is_done for run in plan.runs):
        raise click.ClickException(
            "Every run failed, the first with: " + next(iter(failures.values()))
        )
    return ablation_result(plan.folder), len(failures)


def show_result(result: dict, by_set: bool = False) -> None:
    """Prints an ablation: means and spread, and differences to the default; and by set if asked."""
    from npr_keras.ablation.written import (
        NOTE,
        QUOTED,
        facts_of,
        failures_of,
        has_published,
        rows_of,
    )

    print_line = functools.partial(stdout().print, markup=False)
    paper = has_published(result)
    head = f"{'variant':20}{'seeds':>5} {'acc':>11} {'AP':>11} {'difference of AP':>22}"
    print_line(head + ("  paper" if paper else ""), style="bold")
    for row in rows_of(result):
        line = f"{row['name'][:20]:20}{row['seeds']:>5} {row['accuracy']:>11} "
        line += f"{row['average_precision']:>11} {row['average_precision_difference']:>22}"
        print_line(line + (f"{row['average_precision_paper']:>7}" if paper else ""))
    if by_set:
        _show_by_set(result)
    failures = failures_of(result)
    for failure in failures:
        print_line(failure, soft_wrap=True)
    facts = " ".join(fact for fact in facts_of(result) if fact not in failures)
    for text in (facts, NOTE, *([QUOTED] if paper else [])):
        print_line(f"\n{text}", style="dim")


def _show_by_set(result: dict) -> None:
    """AP of each set, four sets side by side."""
    from npr_keras.ablation.written import rows_by_set, sets_side_by_side

    rows = rows_by_set(result, "average_precision")
    for names in sets_side_by_side(result):
        head = f"\n{'AP by set':22}" + "".join(f"{name[:13]:>14}" for name in names)
        stdout().print(head, style="bold", markup=False)
        for row in rows:
            cells = "".join(f"{row[name]:>14}" for name in names)
            stdout().print(f"{row['name'][:22]:22}{cells}", markup=False)
