"""`npr-keras compare`."""

from __future__ import annotations

import click

from npr_keras_cli.commands.evaluate import evaluate_and_show, evaluating


@click.command("compare")
@evaluating
def command(**options):
    """Compare detectors on the same images, and with what was published.

    As eval, with several detectors: each suite's mean, one detector below the other, the published
    methods of the paper's tables above them, and how much each differs from the first one, with the
    interval of that difference over images. Detectors of others join by their function or their
    scores: --model module:function, --model scores.csv.

    \b
    npr-keras compare --model saved_models/npr --model saved_models/ferretnet --data DIR
    npr-keras compare --model saved_models/npr --model scores.csv --suite all28 --report t.tex
    """
    from npr_keras_cli.comparison_view import show_comparison

    evaluate_and_show(show_comparison, **options)
