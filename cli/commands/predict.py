"""`npr-keras predict`."""

from __future__ import annotations

import sys

import click

from npr_keras.config import PROTOCOLS
from npr_keras_cli.backend import backend_option, open_quietly


@click.command("predict")
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--model",
    required=True,
    type=click.Path(),
    help="A run's folder, a .keras file, or what npr-keras export wrote.",
)
@click.option(
    "--protocol",
    default="native",
    show_default=True,
    type=click.Choice(list(PROTOCOLS)),
    help="How files become pixels.",
)
@click.option("--json", "form", flag_value="json", help="Print JSON, one object a line.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@backend_option
def command(paths, model, protocol, form, backend):
    """Say of images whether they were generated, and when that cannot be known.

    Images, and everything in folders; - reads standard input: paths, one a line, or one image.
    The verdict is inconclusive where a picture was compressed or resized in a way that the
    detector was not measured on (see npr-keras robustness), or fails on. What a file claims of its
    origin is shown and does not count. Exit code 1 where a file could not be read.

    \b
    npr-keras predict photo.jpg --model saved_models/npr
    npr-keras predict DIR --model saved_models/npr --json
    find DIR -name '*.png' | npr-keras predict - --model saved_models/npr --csv
    """
    from npr_keras.predict.score_files import score_files
    from npr_keras_cli.predictions_view import show_predictions
    from npr_keras_cli.standard_input import given_paths

    predictor = open_quietly(model)
    with given_paths(paths) as (files, names):
        chosen = PROTOCOLS[protocol]
        predictions = score_files(predictor, files, chosen)
        unreadable = show_predictions(predictions, predictor, chosen, form, names)
    if unreadable:
        sys.exit(1)
