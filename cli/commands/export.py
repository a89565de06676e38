"""`npr-keras export`."""

from __future__ import annotations

import json

import click

from npr_keras.export.formats import FORMATS, QUANTIZE
from npr_keras_cli.backend import import_tensorflow_quietly, select_backend


@click.command("export")
@click.argument("model", type=click.Path())
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=("savedmodel",),
    show_default=True,
    type=click.Choice([*FORMATS, "all"]),
    help="May be given several times.",
)
@click.option(
    "--quantize",
    default="float32",
    show_default=True,
    type=click.Choice(QUANTIZE),
    help="What the arithmetic is reduced to: tflite float16, int8; openvino bf16.",
)
@click.option(
    "--out", type=click.Path(file_okay=False), help="Where to.  [default: the model's folder]"
)
@click.option(
    "--version",
    type=click.IntRange(1),
    help="Of the SavedModel.  [default: the one after the newest]",
)
@click.option(
    "--data",
    type=click.Path(),
    help="Labelled images to judge the result on, and for int8's ranges.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(model, formats, quantize, out, version, data, as_json):
    """Write a model for TF Serving, for phones, or to run without Keras.

    The preprocessing, the calibrated threshold and the model card travel along. Every artefact is
    run beside the detector before it gets its name: one that gives other scores is not written.
    Export runs on TensorFlow, whatever backend the model was trained on.

    \b
    npr-keras export saved_models/npr
    npr-keras export saved_models/npr --format onnx --format openvino
    npr-keras export saved_models/npr --format tflite --quantize int8 --data DIR
    """
    from npr_keras_cli.console import say
    from npr_keras_cli.export_view import show_exports
    from npr_keras_cli.suites_view import judged_sets

    records = judged_sets(data, pool=True)[0].records if data else ()
    select_backend("tensorflow")
    import_tensorflow_quietly()
    from npr_keras.export.export import export_detector

    wanted = list(FORMATS) if "all" in formats else list(dict.fromkeys(formats))
    made = export_detector(
        model,
        wanted,
        quantize,
        out,
        version,
        records,
        lambda name: say(f"{name}: writing, running"),
    )
    if as_json:
        import dataclasses

        click.echo(json.dumps([dataclasses.asdict(one) for one in made], indent=2))
    else:
        show_exports(made)
