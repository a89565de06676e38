"""`npr-keras predict`."""

from __future__ import annotations

import os
import sys

import click

from npr_keras_cli.backend import backend_option, is_backend_chosen, open_quietly
from npr_keras_cli.options import model_option, null_option, protocol_option

_FEW = 16  # files


@click.command("predict")
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True))
@model_option("A run's folder, a .keras file, what npr-keras export wrote, or a preset's name.")
@protocol_option
@null_option
@click.option("--json", "form", flag_value="json", help="Print JSON, one object a line.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@backend_option
def command(paths, model, protocol, null, form, backend):
    """Tell whether images were generated, or say why that cannot be determined.

    Images, and everything in folders; - reads standard input: paths, one a line, or one image.
    Verdicts: generated; no trace (nothing found: that does not make an image real); inconclusive,
    with the reason. A detector that was never calibrated or measured gives scores and no verdicts.
    Exit code 1 if a file could not be read.

    \b
    npr-keras predict photo.jpg
    npr-keras predict photo.jpg --model saved_models/npr
    npr-keras predict DIR --model saved_models/npr --json
    find DIR -name '*.png' -print0 | npr-keras predict - -0 --model saved_models/npr --csv
    """
    from npr_keras.data.walk import Skipped
    from npr_keras.scoring.files import score_files
    from npr_keras_cli.console import warn_of_pixels
    from npr_keras_cli.predictions_view import show_predictions
    from npr_keras_cli.standard_input import given_paths

    skipped = Skipped()
    # Keras is there seconds later, and then twice as fast.
    few = len(paths) <= _FEW and all(map(os.path.isfile, paths))
    predictor = open_quietly(model, light=few and not is_backend_chosen())
    protocol = protocol or predictor.preprocessing
    warn_of_pixels(predictor.profile, protocol)
    with given_paths(paths, null) as (files, names):
        predictions = score_files(predictor, files, protocol, skipped=skipped)
        unreadable = show_predictions(
            predictions, predictor.profile, protocol, form, names, skipped
        )
    if unreadable:
        sys.exit(1)
