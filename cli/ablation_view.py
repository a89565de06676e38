"""Ablations as a person watches them: the plan, a line a run, and the table in the end."""

from __future__ import annotations

import functools
import json

import click

from npr_keras_cli.console import progress_bar, say, stdout


def show_estimate(rows: list[dict], as_json: bool) -> None:
    """Prints the runs that `npr_keras.ablation.prepare.Prepared.estimate` found, and the sum."""
    for row in [] if as_json else rows:
        state = f"    fails: {row['fails']}" if row["fails"] else f"{row['seconds']:8.0f} s"
        line = f"{row['variant']:34} seed {row['seed']:<6} {'  done' if row['done'] else state}"
        stdout().print(line, markup=False, soft_wrap=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    seconds = sum(row["seconds"] or 0 for row in rows)
    failing = sum(row["fails"] is not None for row in rows)
    say(
        f"\n{len(rows) - failing} runs, about {duration(seconds)} here, from a few steps of each."
        + (f" {failing} would fail." if failing else "")
    )


def duration(seconds: float) -> str:
    """`90 s`, `3 minutes`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


class Watcher:
    """A bar over all runs, and a line for each that ends.

    Args:
        plan, grid: What is done.

    Attributes:
        failures: Dict from what a run is called to why it failed.
    """

    def __init__(self, plan, grid):
        self.failures: dict[str, str] = {}
        self._names = {variant.slug: variant.name for variant in grid.variants}
        self._waited_for = ""
        done = sum(run.is_done for run in plan.runs)
        more = f", {done} of them done before" if done else ""
        say(f"{grid.name}: {len(plan.runs)} runs{more}, in {plan.folder}")
        self.bar = progress_bar()
        self.task = self.bar.add_task("", total=len(plan.runs), completed=done, note="")

    def show(self, what) -> None:
        """Takes a `npr_keras.ablation.run.Progress`."""
        label = f"{self._names[what.run.variant]}, seed {what.run.seed}"
        print_line = functools.partial(self.bar.console.print, markup=False)
        if what.state == "begun":
            self.bar.update(self.task, description=label, completed=what.done, note="")
        elif what.state == "waiting":
            self.bar.update(self.task, description=f"waiting for {what.note}", note="")
            if what.note != self._waited_for:
                print_line(f"waiting for {what.note}: {label}")
            self._waited_for = what.note
        elif what.state == "failed":
            self.failures[label] = what.note
            print_line(f"failed: {label}: {what.note}")
        else:
            self.bar.update(self.task, completed=what.done)
            note = f"  ({what.note})" if what.note else ""
            print_line(f"{what.done}/{what.total}  {label}{note}")

    def callbacks(self, run) -> list:
        """Of a run's training: the epoch, on the bar."""
        import keras

        class Epochs(keras.callbacks.Callback):
            def on_epoch_end(inner, epoch, logs=None):
                self.bar.update(self.task, note=f"epoch {epoch + 1}/{inner.params['epochs']}")

        return [Epochs()]


def show_result(result: dict, by_set: bool = False) -> None:
    """Prints an ablation: means and spread, and differences to the default; and by set if asked."""
    from npr_keras.ablation.tables import (
        NOTE,
        QUOTED,
        facts_of,
        failures_of,
        has_published,
        rows_of,
        short,
    )
    from npr_keras.evaluation.differences import FIGURES

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
