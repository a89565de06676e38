"""`npr-keras bench`."""

from __future__ import annotations

import json

import click

from npr_keras.config import PRECISIONS
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly, native_stderr_kept


@click.command("bench")
@click.argument("task", type=click.Choice(["train", "score", "data", "serve"]))
@click.option(
    "--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Images a step."
)
@click.option(
    "--size",
    default=224,
    show_default=True,
    type=click.IntRange(32),
    help="Side of the images, in pixels.",
)
@click.option(
    "--steps", default=3, show_default=True, type=click.IntRange(1), help="Steps a round."
)
@click.option(
    "--rounds",
    default=5,
    show_default=True,
    type=click.IntRange(1),
    help="Rounds; the median counts.",
)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    type=click.Choice(PRECISIONS),
    help="Dtype policy.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(),
    help="With score: exported models to measure, several times; with serve: a SavedModel.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_option
def command(task, batch_size, size, steps, rounds, precision, models, as_json, backend):
    """Measure speed, in one run beside what it has to be compared with.

    Of the network, beside plain PyTorch; of loading training images, beside one thread and the
    network; of a server, beside its model.

    Machines are noisy: read the ratios, not the images a second.

    \b
    npr-keras bench train --backend tensorflow
    npr-keras bench score --model model.onnx --model model.xml --size 256
    npr-keras bench data
    npr-keras bench serve --model saved_models/npr --size 256
    """
    if models and task in ("train", "data"):
        raise click.UsageError("--model goes with score and serve.")
    import_tensorflow_quietly()
    if task == "serve":
        _bench_serving(models, batch_size, size, steps * rounds, as_json)
        return
    if task == "data":
        _bench_data(batch_size, size, rounds, as_json)
        return
    from npr_keras.bench.speed import measure
    from npr_keras_cli import render

    with native_stderr_kept():
        rates = measure(task, batch_size, size, steps, rounds, precision, models)
    if as_json:
        what = {"task": task, "backend": backend, "batch_size": batch_size, "size": size}
        click.echo(
            json.dumps({**what, "precision": precision, "images_per_second": rates}, indent=2)
        )
    else:
        render.show_speed(rates, backend, len(models))


def _bench_data(batch_size, size, rounds, as_json):
    from npr_keras.bench.data import measure_data
    from npr_keras_cli import render

    with native_stderr_kept():
        rates = measure_data(batch_size, size, rounds)
    if as_json:
        what = {"task": "data", "batch_size": batch_size, "size": size}
        click.echo(json.dumps({**what, "images_per_second": rates}, indent=2))
    else:
        render.show_loading_speed(rates)


def _bench_serving(models, batch_size, size, seconds, as_json):
    from npr_keras_cli import render
    from npr_keras_cli.serving_view import require_serving

    if len(models) != 1:
        raise click.UsageError("serve takes one --model: a SavedModel that npr-keras export wrote.")
    require_serving()
    from npr_keras.bench.serving import measure_serving

    found = measure_serving(models[0], batch_size, size, seconds)
    if as_json:
        click.echo(json.dumps({"batch_size": batch_size, "size": size, **found}, indent=2))
    else:
        render.show_serving_speed(found)
