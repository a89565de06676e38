"""Ablations as a person watches them: the plan, a line a run, and the table in the end."""

from __future__ import annotations

import functools
import json
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
    for part, fields in options["shared"].items():
        for field in fields:
            if grid.varies(part, field):
                raise ConfigError(
                    f"--set {part}.{field} would change nothing: each variant of {grid.name} says "
                    "itself what it is."
                )
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


def dry_run(options: dict, as_json: bool) -> int:
    """Lists the runs; measures a few steps to say how long they may take. Returns 1 if some fail."""
    grid, plan, source_of, sets = _prepared(options)
    import_tensorflow_quietly()
    from npr_keras.ablation.estimate import seconds_of
    from npr_keras.ablation.run import check_default, said_by

    check_default(plan, grid, source_of)
    plan.joined(grid, sets)  # refuses what a run would
    names = {variant.slug: variant for variant in grid.variants}
    by_variant: dict[str, float | str] = {}
    rows = []
    for run in plan.runs:
        variant = names[run.variant]
        if run.variant not in by_variant and not run.is_done:
            try:
                by_variant[run.variant] = seconds_of(variant, plan, source_of(variant), sets)
            except Exception as error:  # whatever it is, it is said, and the others go on
                by_variant[run.variant] = said_by(error)
        found = 0.0 if run.is_done else by_variant[run.variant]
        fails = found if isinstance(found, str) else None
        row = {"variant": variant.name, "seed": run.seed, "done": run.is_done}
        rows.append({**row, "seconds": None if fails else found, "fails": fails})
        if not as_json:
            state = f"    fails: {fails}" if fails else f"{found:8.0f} s"
            line = f"{variant.name:34} seed {run.seed:<6} {'  done' if run.is_done else state}"
            stdout().print(line, markup=False, soft_wrap=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    seconds = sum(row["seconds"] or 0 for row in rows)
    failing = sum(row["fails"] is not None for row in rows)
    say(
        f"\n{len(rows) - failing} runs, about {_duration(seconds)} here, from a few steps of each."
        + (f" {failing} would fail." if failing else "")
    )
    return int(failing > 0)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def run_ablation(options: dict) -> tuple[dict, int]:
    """Does what is left to do; returns the result, and how many runs failed."""
    grid, plan, source_of, sets = _prepared(options)
    import_tensorflow_quietly()
    import keras

    from npr_keras.ablation.result import ablation_result
    from npr_keras.ablation.run import run_grid

    plan.joined(grid, sets)  # refuses another ablation's folder before anything is said
    done = sum(run.is_done for run in plan.runs)
    more = f", {done} of them done before" if done else ""
    say(f"{grid.name}: {len(plan.runs)} runs{more}, in {plan.folder}")
    names = {variant.slug: variant.name for variant in grid.variants}
    failures: dict = {}
    waited_for = ""
    begun = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("", total=len(plan.runs), completed=done, note="")

        def show(what):
            nonlocal waited_for
            label = f"{names[what.run.variant]}, seed {what.run.seed}"
            if what.state == "begun":
                bar.update(task, description=label, completed=what.done, note="")
            elif what.state == "waiting":
                bar.update(task, description=f"waiting for {what.note}", note="")
                if what.note != waited_for:
                    bar.console.print(f"waiting for {what.note}: {label}", markup=False)
                waited_for = what.note
            elif what.state == "failed":
                failures[label] = what.note
                bar.console.print(f"failed: {label}: {what.note}", markup=False)
            else:
                bar.update(task, completed=what.done)
                note = f"  ({what.note})" if what.note else ""
                bar.console.print(f"{what.done}/{what.total}  {label}{note}", markup=False)

        class Epochs(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                bar.update(task, note=f"epoch {epoch + 1}/{self.params['epochs']}")

        try:
            run_grid(plan, grid, source_of, sets, show, lambda run: [Epochs()], options["pipeline"])
        except KeyboardInterrupt:
            bar.stop()
            say("\nInterrupted. What was done is kept; the same command goes on with it.")
            raise SystemExit(1) from None
    say(f"{_duration(time.monotonic() - begun)}\n")
    if failures and not any(run.is_done for run in plan.runs):
        raise click.ClickException(
            "Every run failed, the first with: " + next(iter(failures.values()))
        )
    return ablation_result(plan.folder), len(failures)


def show_result(result: dict, by_set: bool = False) -> None:
    """Prints an ablation: means and spread, and differences to the default; and by set if asked."""
    from npr_keras.ablation.differences import FIGURES
    from npr_keras.ablation.tables import (
        NOTE,
        QUOTED,
        facts_of,
        failures_of,
        has_published,
        rows_of,
        short,
    )

    print_line = functools.partial(stdout().print, markup=False)
    paper = has_published(result)
    rows = rows_of(result)
    for figure, title in zip(FIGURES, ("acc", "AP"), strict=True):
        head = f"{'variant':30}{'seeds':>6}{title:>12}{f'difference of {title}':>21} "
        print_line(head + (" published" if paper else ""), style="bold")
        for row in rows:
            line = f"{short(row['name'], 30):30}{row['seeds']:>6}{row[figure]:>12}"
            line += f"{row[f'{figure}_difference']:>22}"
            print_line(line + (f"{row[f'{figure}_paper']:>10}" if paper else ""))
        print_line("")
    if by_set:
        _show_by_set(result)
    failures = failures_of(result)
    for failure in failures:
        print_line(failure, soft_wrap=True)
    facts = " ".join(fact for fact in facts_of(result) if fact not in failures)
    print_line("\n\n".join([facts, NOTE, *([QUOTED] if paper else [])]), style="dim")


def _show_by_set(result: dict) -> None:
    """AP of each set, four sets side by side."""
    from npr_keras.ablation.tables import rows_by_set, sets_side_by_side, short

    rows = rows_by_set(result, "average_precision")
    for names in sets_side_by_side(result):
        head = f"{'AP by set':22}" + "".join(f"{short(name, 13):>14}" for name in names)
        stdout().print(head, style="bold", markup=False)
        for row in rows:
            cells = "".join(f"{row[name]:>14}" for name in names)
            stdout().print(f"{short(row['name'], 22):22}{cells}", markup=False)
        stdout().print()
