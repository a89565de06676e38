"""`npr-keras eval`."""

from __future__ import annotations

import dataclasses
import os

import click

from npr_keras.config import PROTOCOLS
from npr_keras.errors import ConfigError
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly
from npr_keras_cli.options import pipeline_option, unreadable_option


@click.command("eval")
@click.option("--model", required=True, type=click.Path(), help="A .keras file, or a run's folder.")
@click.option(
    "--suite",
    help="all28, one of its suites, simulated (made on first use), or a TOML file of your own.",
)
@click.option(
    "--data-root",
    envvar="NPR_DATA",
    type=click.Path(),
    help="Where the suites lie (or NPR_DATA).",
)
@click.option("--allow-missing", is_flag=True, help="Judge what is there of a suite.")
@click.option(
    "--data",
    type=click.Path(),
    help="Images in 0_real and 1_fake, or a folder of such sets.",
)
@click.option("--pool", is_flag=True, help="Take everything under --data as one set.")
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    help="How files become pixels.  [default: the model's]",
)
@click.option(
    "--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Images at once."
)
@unreadable_option
@click.option(
    "--scores", type=click.Path(dir_okay=False), help="Write each image's score to this CSV file."
)
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@pipeline_option
@backend_option
def command(
    model,
    suite,
    data_root,
    allow_missing,
    data,
    pool,
    protocol,
    batch_size,
    max_unreadable,
    scores,
    form,
    pipeline,
    backend,
):
    """Judge a detector on labelled images.

    A suite's sub-testsets are those of its table, see npr-keras suites: each with its own protocol,
    its classes pooled, other folders ignored, and nothing begun while one is missing. A folder with 0_real and 1_fake is one set. Otherwise each child folder is a set, and the
    classes inside it are pooled; the last lines give the mean over the sets, as papers take it,
    and the figures of all images pooled. Accuracy is at probability 0.5.

    \b
    npr-keras eval --model saved_models/npr --data DIR
    npr-keras eval --model saved_models/npr --suite all28 --data-root DIR
    npr-keras eval --model model.keras --data DIR --json --scores scores.csv
    """
    from npr_keras_cli import render
    from npr_keras_cli.console import progress_bar, warn_left_out
    from npr_keras_cli.evaluation_view import show_evaluation
    from npr_keras_cli.simulation_view import made_simulated
    from npr_keras_cli.suites_view import judged_sets, suite_sets

    if (suite is None) == (data is None):
        raise click.UsageError("What to judge on: either --data DIR or --suite NAME.")
    folder = os.path.dirname(scores) if scores else ""
    if folder and not os.path.isdir(folder):
        raise ConfigError(f"--scores {scores}: no such folder: {folder}")
    sets = judged_sets(data, pool) if data else None
    import_tensorflow_quietly()
    from npr_keras.cache import cache_folder
    from npr_keras.evaluation.evaluate import evaluate
    from npr_keras.predict import KerasPredictor

    if suite and suite != "simulated":
        sets = suite_sets(suite, data_root, allow_missing)
    predictor = KerasPredictor(model)
    if suite == "simulated":
        sets = judged_sets(made_simulated("suite")[0], pool)
    if protocol:  # of all sets, whatever their suite says
        sets = [dataclasses.replace(s, protocol=PROTOCOLS[protocol]) for s in sets]
    with progress_bar() as bar:
        task = bar.add_task("", total=sum(len(s.records) for s in sets), note="")
        results = evaluate(
            predictor,
            sets,
            predictor.preprocessing,
            batch_size,
            pipeline,
            max_unreadable,
            lambda name, done: bar.update(task, advance=done, description=name),
            keep=cache_folder() / "scores",
        )
    warn_left_out({k: v for result in results for k, v in result.unreadable.items()})
    if scores:
        render.write_scores(results, scores)
    show_evaluation(results, {"model": model, "data": suite or data, "backend": backend}, form)
