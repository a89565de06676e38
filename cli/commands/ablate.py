"""`npr-keras ablate`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from npr_keras.ablation.grid import FIELDS, PARTS
from npr_keras.ablation.grids import GRIDS
from npr_keras.config import TrainingConfig
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly
from npr_keras_cli.options import comma_list, pipeline_option

_MOST_SEEDS = 1000  # by their count; more is a seed that was meant


def _fields(ctx, param, values):
    """`epochs=4 detector.width=32` -> {"training": {"epochs": 4}, "detector": {"width": 32}, ...}."""
    found: dict[str, dict] = {part: {} for part in PARTS}
    for value in values:
        name, _, text = value.partition("=")
        part, _, field = name.rpartition(".")
        part = part or "training"
        if not text or part not in PARTS or field not in FIELDS.get(part, (field,)):
            raise click.BadParameter(
                f"{value!r}: expected FIELD=VALUE, with a field of the recipe "
                f"({', '.join(FIELDS['training'])}), or detector.FIELD of the backbone (blocks, width, "
                "mean, std), or representation.ARGUMENT."
            )
        found[part][field] = _value(text)
    return found


def _value(text: str):
    """`none`, JSON, numbers with commas between them, or the text itself."""
    if text == "none":
        return None
    for written in (text, f"[{text}]"):
        try:
            return json.loads(written)
        except ValueError:
            continue
    return text


def _seeds(ctx, param, value):
    """`3` -> 100, 101, 102; `1,5,9` -> these; `7,` -> this one."""
    try:
        numbers = [int(part) for part in value.rstrip(",").split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r}: expected a count, or seeds: 1,5,9.") from None
    if "," not in value:
        first = TrainingConfig.seed
        numbers = list(range(first, first + numbers[0])) if numbers[0] <= _MOST_SEEDS else []
    if not numbers or min(numbers) < 0 or max(numbers) >= 2**32 or len({*numbers}) < len(numbers):
        raise click.BadParameter(
            f"{value!r}: expected a count from 1 to {_MOST_SEEDS}, or different seeds from 0 to "
            f"{2**32 - 1}, with a comma."
        )
    return tuple(numbers)


@click.group("ablate", invoke_without_command=True)
@click.option(
    "--grid",
    help=f"{', '.join(GRIDS)}, or a YAML file.",
)
@click.option(
    "--only", callback=comma_list, help="Variants of the grid, and its default.  [default: all]"
)
@click.option("--source", default="simulated", show_default=True, help="As for train.")
@click.option(
    "--classes", callback=comma_list, help="Classes of the source, as for train.  [default: all]"
)
@click.option("--suite", default="simulated", show_default=True, help="As for eval.")
@click.option("--data", type=click.Path(), help="Images to judge on, instead of --suite.")
@click.option("--data-root", envvar="NPR_DATA", type=click.Path(), help="As for train and eval.")
@click.option(
    "--seeds",
    default="3",
    show_default=True,
    callback=_seeds,
    help="How many, or which: 1,5,9 (one: 7,).",
)
@click.option(
    "--set",
    "shared",
    multiple=True,
    callback=_fields,
    metavar="FIELD=VALUE",
    help="For all variants: --set epochs=4, --set detector.width=32, --set representation.scale=1.",
)
@click.option("--out", type=click.Path(file_okay=False), help="[default: ablations/<grid>]")
@click.option("--dry-run", is_flag=True, help="List the runs and about how long they take.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pipeline_option
@backend_option
@click.pass_context
def command(ctx, as_json, **options):
    """Train and judge variants with several seeds, and tell how sure their differences are.

    Every variant is trained and judged once for each seed, in a folder of its own. Stopped or
    killed, the same command goes on; several processes may work in one folder. The interval of a
    difference is over seeds and images; 0 inside it means that nothing was shown.

    \b
    npr-keras ablate --grid table7 --set epochs=4 --set crop=96
    npr-keras ablate report ablations/table7 --write table.tex --write figure.png
    """
    if ctx.invoked_subcommand:
        if options["grid"]:
            raise click.UsageError("report takes no --grid: npr-keras ablate report FOLDER.")
        return
    if not options["grid"]:
        raise click.UsageError("Which grid: --grid NAME, or a YAML file. See --help.")
    from npr_keras.report.text import json_text
    from npr_keras_cli.ablation_view import show_estimate, show_result

    import_tensorflow_quietly()
    prepared = _prepared(options)
    if options["dry_run"]:
        rows = prepared.estimate()
        show_estimate(rows, as_json)
        ctx.exit(int(any(row["fails"] is not None for row in rows)))
    result, failed = _run(prepared, options["pipeline"])
    if as_json:
        click.echo(json_text(result), nl=False)
    else:
        show_result(result)
    if failed:
        ctx.exit(1)


def _prepared(options: dict):
    from npr_keras.ablation.prepare import prepare
    from npr_keras_cli.inputs import sets_in, sets_of_suite, source_of

    folder = source_of(options)
    if options["data"]:
        sets = sets_in(options["data"], False)
    else:
        sets = sets_of_suite(options["suite"], options["data_root"], False, False).sets
    name = Path(options["data"] or options["suite"]).resolve().name
    keys = ("seeds", "shared", "classes", "out", "backend", "only")
    return prepare(options["grid"], folder, sets, name, **{key: options[key] for key in keys})


def _run(prepared, pipeline: str) -> tuple[dict, bool]:
    """Does what is left to do; returns the result, and whether a run failed."""
    from npr_keras.ablation.result import ablation_result
    from npr_keras.ablation.run import run_grid
    from npr_keras_cli.ablation_view import Watcher, duration
    from npr_keras_cli.console import say

    plan, grid = prepared.plan, prepared.grid
    plan.joined(grid, prepared.sets)  # refuses another ablation's folder before anything is said
    watcher = Watcher(plan, grid)
    begun = time.monotonic()
    with watcher.bar:
        try:
            run_grid(
                plan,
                grid,
                prepared.source_of,
                prepared.sets,
                watcher.show,
                watcher.callbacks,
                pipeline,
            )
        except KeyboardInterrupt:
            watcher.bar.stop()
            say("\nInterrupted. What was done is kept; the same command resumes.")
            raise SystemExit(1) from None
    say(f"{duration(time.monotonic() - begun)}\n")
    if watcher.failures and not any(run.is_done for run in plan.runs):
        first = next(iter(watcher.failures.values()))
        raise click.ClickException(f"Every run failed, the first with: {first}")
    return ablation_result(plan.folder), bool(watcher.failures)


@command.command("report")
@click.argument("folder", type=click.Path())
@click.option(
    "--write",
    "targets",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Also to a file: .md, .tex, .csv, .json, .png or .svg; several times if you like.",
)
@click.option("--by-set", is_flag=True, help="The AP of each set, too; files hold it anyway.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report(folder, targets, by_set, as_json):
    """Show an ablation, also while it runs.

    \b
    npr-keras ablate report ablations/table7 --by-set
    npr-keras ablate report ablations/table7 --write table.md --write figure.svg
    """
    from npr_keras.ablation.result import ablation_result
    from npr_keras.ablation.write import ENDINGS, write_result
    from npr_keras.report.text import check_path, json_text
    from npr_keras_cli.ablation_view import show_result

    for target in targets:
        check_path(target, ENDINGS, "A file of an ablation")
    result = ablation_result(folder)
    for target in targets:
        write_result(result, target)
    if as_json:
        click.echo(json_text(result), nl=False)
    else:
        show_result(result, by_set)
