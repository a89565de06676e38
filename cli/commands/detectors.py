"""`npr-keras detectors`."""

from __future__ import annotations

import dataclasses

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly


@click.command("detectors")
@click.argument("names", nargs=-1)
@click.option("--measure", is_flag=True, help="Build each: its parameters, and its speed here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_option
def command(names, measure, as_json, backend):
    """List the detectors that can be trained: NPR and the methods it is compared with.

    Each is trained by npr-keras train --detector NAME, and takes published weights, where there are
    such, by npr-keras convert --detector NAME. No weights come with this package.

    \b
    npr-keras detectors
    npr-keras detectors ferretnet patchfor --measure
    """
    from npr_keras.detectors import DETECTORS, get_method
    from npr_keras.report.text import json_text
    from npr_keras_cli.detectors_view import show_detectors

    rows = [{"name": name, **dataclasses.asdict(get_method(name))} for name in names or DETECTORS]
    if measure:
        import_tensorflow_quietly()
        from npr_keras.bench.methods import measure_method

        rows = [{**row, **measure_method(row["name"])} for row in rows]
    if as_json:
        click.echo(json_text(rows), nl=False)
    else:
        show_detectors(rows)
