"""`npr-keras info`."""

from __future__ import annotations

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly, open_quietly
from npr_keras_cli.options import model_argument


@click.command("info")
@model_argument(required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_option
def command(model, as_json, backend):
    """Describe a model, or, without one, what is installed and what it is good for.

    \b
    npr-keras info
    npr-keras info saved_models/npr
    """
    import_tensorflow_quietly()
    from npr_keras.describe import describe_environment, describe_model
    from npr_keras.report.text import json_text
    from npr_keras_cli import render

    described = describe_model(model, open_quietly) if model else describe_environment(backend)
    if as_json:
        click.echo(json_text(described), nl=False)
    else:
        render.show_fields(described)
