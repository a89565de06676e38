"""`npr-keras predict`."""

from __future__ import annotations

import json

import click

from npr_keras.config import PROTOCOLS
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly


@click.command("predict")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--model", required=True, type=click.Path(), help="A .keras file, or a run's folder.")
@click.option(
    "--protocol",
    default="native",
    show_default=True,
    type=click.Choice(list(PROTOCOLS)),
    help="How files become pixels.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@backend_option
def command(paths, model, protocol, as_json, backend):
    """Score images, and everything in folders.

    The probability that an image was generated, as the model sees it. A picture that was
    recompressed or resized since has lost what the model looks at: a low score says nothing then.

    \b
    npr-keras predict photo.jpg --model saved_models/npr
    npr-keras predict DIR --model saved_models/npr --json
    """
    from npr_keras_cli.render import show_predictions

    import_tensorflow_quietly()
    from npr_keras.predict import KerasPredictor
    from npr_keras.predict.score_files import score_files

    scored = score_files(KerasPredictor(model), paths, PROTOCOLS[protocol])
    if as_json:
        unreadable = 0
        for row in scored:
            click.echo(json.dumps(row))
            unreadable += "error" in row
    else:
        unreadable = show_predictions(scored, protocol)
    if unreadable:
        raise SystemExit(1)
