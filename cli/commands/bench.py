"""`npr-keras bench`."""

from __future__ import annotations

import json

import click

from npr_keras.atomic import write_text
from npr_keras.config import PRECISIONS
from npr_keras.presets import get_preset
from npr_keras_cli import render
from npr_keras_cli.backend import (
    backend_option,
    import_tensorflow_quietly,
    native_stderr_kept,
    open_quietly,
)
from npr_keras_cli.console import progress_bar, say

TASKS = ("infer", "train", "data", "startup", "batch", "serve", "all")


@click.command("bench")
@click.argument("task", type=click.Choice(TASKS))
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
    "--count", default=2000, show_default=True, type=click.IntRange(10), help="Images of batch."
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
    help="With infer, startup, batch: models to measure, several times; with serve: a SavedModel.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--report", type=click.Path(), help="Write the JSON to a file too, .json.")
@backend_option
def command(task, models, as_json, report, backend, **options):
    """Measure speed, in one run beside what it has to be compared with.

    \b
    infer    the network, scoring: beside plain PyTorch and the machine's limit
    train    the same, a training step
    data     loading training images: beside one thread, and the network
    startup  whole commands, from the first to the last moment
    batch    many files in one run: time and memory of every tenth
    serve    a server: beside its model
    all      infer, train, data, startup and batch

    Contenders take turns, after a warm-up; medians count. The limit is how fast this machine
    multiplies matrices, over the multiplications that the detector needs. Machines are noisy: read
    the ratios, not the images a second.

    \b
    npr-keras bench infer --model model.onnx --model model.xml --size 256
    npr-keras bench train --backend tensorflow
    npr-keras bench serve --model saved_models/npr --size 256
    """
    if models and task in ("train", "data", "all"):
        raise click.UsageError("--model goes with infer, startup, batch and serve.")
    if report:
        from npr_keras.report.text import check_path

        check_path(report, (".json",), "A report")
    if task == "serve":
        _require_served(models)
    if task != "startup":
        import_tensorflow_quietly()
    from npr_keras.bench.machine import bandwidth, describe_machine

    chosen = TASKS[:-2] if task == "all" else (task,)
    machine = describe_machine() | {"copied_bytes_per_second": bandwidth()}
    found = {"machine": machine, "backend": backend, "options": options}
    for name in chosen:
        if len(chosen) > 1 and not as_json:
            say(f"{name} ...")
        measured, show = _MEASURES[name](models, backend, **options)  # type: ignore[operator]
        found[name] = measured
        if not as_json:
            show(measured)
    if report:
        write_text(report, json.dumps(found, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        render.show_machine(found["machine"])


def _infer(models, backend, batch_size, size, steps, rounds, precision, **_):
    from npr_keras.bench.speed import measure

    with native_stderr_kept():
        found = measure("score", batch_size, size, steps, rounds, precision, models)
    return found, lambda found: render.show_speed(found, backend, len(models))


def _train(models, backend, batch_size, size, steps, rounds, precision, **_):
    from npr_keras.bench.speed import measure

    with native_stderr_kept():
        found = measure("train", batch_size, size, steps, rounds, precision)
    return found, lambda found: render.show_speed(found, backend)


def _data(models, backend, batch_size, size, rounds, **_):
    from npr_keras.bench.data import measure_data

    with native_stderr_kept():
        return measure_data(batch_size, size, rounds), render.show_loading_speed


def _startup(models, backend, rounds, **_):
    from npr_keras.bench.startup import measure_startup

    return measure_startup(models, rounds), render.show_startup


def _batch(models, backend, size, count, **_):
    from npr_keras.bench.batch import measure_batch

    found = {}
    with progress_bar() as bar:
        task = bar.add_task("scoring", total=count * max(1, len(models)), note="")
        for model in models or (get_preset("npr-lab").name,):
            predictor = open_quietly(model)
            found[model] = measure_batch(predictor, count, size, lambda n: bar.advance(task, n))

    def show(found):
        for model, one in found.items():
            render.show_batch(model, one)

    return found, show


def _require_served(models) -> None:
    from npr_keras_cli.serving_view import require_serving

    if len(models) != 1:
        raise click.UsageError("serve takes one --model: a SavedModel that npr-keras export wrote.")
    require_serving()


def _serve(models, backend, batch_size, size, steps, rounds, **_):
    from npr_keras.bench.serving import measure_serving

    return measure_serving(models[0], batch_size, size, steps * rounds), render.show_serving_speed


_MEASURES = {
    "infer": _infer,
    "train": _train,
    "data": _data,
    "startup": _startup,
    "batch": _batch,
    "serve": _serve,
}
