"""`npr-keras eval`."""

from __future__ import annotations

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
    type=click.Choice(["simulated"]),
    help="A suite of sets; simulated is made on first use.",
)
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
    model, suite, data, pool, protocol, batch_size, max_unreadable, scores, form, pipeline, backend
):
    """Judge a detector on labelled images.

    A folder with 0_real and 1_fake is one set. Otherwise each child folder is a set, and the
    classes inside it are pooled; the last lines give the mean over the sets, as papers take it,
    and the figures of all images pooled. Accuracy is at probability 0.5.

    \b
    npr-keras eval --model saved_models/npr --data DIR
    npr-keras eval --model saved_models/npr --suite simulated
    npr-keras eval --model model.keras --data DIR --json --scores scores.csv
    """
    from npr_keras.data.folder import find_sets
    from npr_keras_cli import render
    from npr_keras_cli.console import progress_bar, warn, warn_left_out

    if (suite is None) == (data is None):
        raise click.UsageError("What to judge on: either --data DIR or --suite NAME.")
    folder = os.path.dirname(scores) if scores else ""
    if folder and not os.path.isdir(folder):
        raise ConfigError(f"--scores {scores}: no such folder: {folder}")
    sets, ignored = find_sets(data, pool) if data else ([], [])
    import_tensorflow_quietly()
    from npr_keras.evaluation.evaluate import evaluate
    from npr_keras.predict import KerasPredictor

    predictor = KerasPredictor(model)
    if suite:
        from npr_keras_cli.simulation_view import made_simulated

        data = os.fspath(made_simulated("suite")[0])
        sets, ignored = find_sets(data, pool)
    chosen = PROTOCOLS[protocol] if protocol else predictor.preprocessing
    if ignored:
        warn(f"left out, being for training or validation: {', '.join(ignored)}")
    with progress_bar() as bar:
        task = bar.add_task("", total=sum(len(s.records) for s in sets), note="")
        results = evaluate(
            predictor,
            sets,
            chosen,
            batch_size,
            pipeline,
            max_unreadable,
            lambda name, done: bar.update(task, advance=done, description=name),
        )
    warn_left_out({k: v for result in results for k, v in result.unreadable.items()})
    if scores:
        render.write_scores(results, scores)
    render.show_evaluation(
        results, {"model": model, "data": data, "protocol": chosen.name, "backend": backend}, form
    )
