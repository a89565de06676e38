"""`npr-keras export`."""

from __future__ import annotations

import click

from npr_keras.tables import exports, quantizations
from npr_keras_cli.backend import import_tensorflow_quietly, native_stderr_kept, select_backend
from npr_keras_cli.options import model_argument, protocol_option


@click.command("export")
@model_argument()
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=["savedmodel"],
    show_default=True,
    type=click.Choice([*exports(), "all"]),
    help="May be given several times; all: each that --quantize is known for.",
)
@click.option(
    "--quantize",
    default="float32",
    show_default=True,
    type=click.Choice(quantizations()),
    help="What the arithmetic is reduced to: int8; tflite also float16, openvino bf16.",
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
    help="Labelled images to judge the result on, and for int8's ranges.  [default for int8: "
    "the simulated suite]",
)
@protocol_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(model, formats, quantize, out, version, data, protocol, as_json):
    """Write a model for TF Serving, for phones, or to run without Keras.

    The preprocessing, the calibrated threshold and the model card travel along. Every artefact is
    run beside the detector before it gets its name: one that gives other scores is not written.
    Export runs on TensorFlow, whatever backend the model was trained on.

    \b
    npr-keras export saved_models/npr
    npr-keras export saved_models/npr --format onnx --format openvino
    npr-keras export saved_models/npr --format all --quantize int8 --data DIR
    """
    from npr_keras.report.text import json_text
    from npr_keras.runtimes.open import require_keras_file
    from npr_keras_cli.console import say
    from npr_keras_cli.export_view import show_exports
    from npr_keras_cli.inputs import sets_in, sets_of_suite

    if version and "savedmodel" not in formats and "all" not in formats:
        raise click.UsageError("--version is the SavedModel's; the other formats are single files.")
    require_keras_file(model, "exporting starts from the detector itself")
    select_backend("tensorflow")
    if "all" in formats:
        formats = [name for name, one in exports().items() if quantize in one.quantize]
    records = sets_in(data, pool=True)[0].records if data else ()
    if quantize == "int8" and not data:
        say("int8 takes its ranges from, and is judged on, simulated pictures; yours: --data DIR")
        records = sets_of_suite("simulated", None, False, True).sets[0].records
    import_tensorflow_quietly()
    from npr_keras.exporting.export import export_detector

    with native_stderr_kept():
        made = export_detector(
            model,
            list(dict.fromkeys(formats)),
            quantize,
            out,
            version,
            records,
            protocol,
            say,
        )
    if as_json:
        import dataclasses

        click.echo(json_text([dataclasses.asdict(one) for one in made]), nl=False)
    else:
        show_exports(made)
