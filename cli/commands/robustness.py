"""`npr-keras robustness`."""

from __future__ import annotations

import click

from npr_keras.config import PROTOCOLS
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly
from npr_keras_cli.options import conditions, unreadable_option


@click.command("robustness")
@click.option("--model", required=True, type=click.Path(), help="A .keras file, or a run's folder.")
@click.option(
    "--data",
    required=True,
    type=click.Path(),
    help="Real and generated images, in 0_real and 1_fake.",
)
@click.option(
    "--condition",
    "chosen",
    multiple=True,
    callback=conditions,
    help="KIND=AMOUNT[,AMOUNT...]: jpeg and webp (quality), resize (factor), blur and noise "
    "(standard deviation), none. May be given several times.  [default: a standard list]",
)
@click.option(
    "--protocol",
    default="native",
    show_default=True,
    type=click.Choice(list(PROTOCOLS)),
    help="How they become pixels after that; predict uses what was measured with its own.",
)
@click.option(
    "--store", "stored", is_flag=True, help="Keep it with the model, for predict's verdicts."
)
@click.option("--figure", type=click.Path(dir_okay=False), help="Draw it: .svg or .png.")
@click.option(
    "--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Images at once."
)
@unreadable_option
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@backend_option
def command(
    model, data, chosen, protocol, stored, figure, batch_size, max_unreadable, form, backend
):
    """Measure what compression, resizing, blur and noise do to a detector.

    The same images are judged again under each condition, real and generated ones alike. With
    --store, predict calls a picture inconclusive whose history the detector fails on: fewer than
    75 % of generated pictures like that found where it says real, fewer than 75 % of photographs
    like that left alone where it says generated. Give images that were never compressed.

    Killed or interrupted, the same command goes on where it was.

    \b
    npr-keras robustness --model saved_models/npr --data DIR --store
    npr-keras robustness --model saved_models/npr --data DIR --condition jpeg=90,70,50
    """
    from npr_keras_cli.calibration_view import check_figure
    from npr_keras_cli.robustness_view import draw, measured, show_robustness
    from npr_keras_cli.suites_view import judged_sets

    if figure:
        check_figure(figure)
    (images,) = judged_sets(data, pool=True)
    import_tensorflow_quietly()
    from npr_keras.cache import cache_folder
    from npr_keras.evaluation.kept import Keeper
    from npr_keras.predict import open_predictor
    from npr_keras.predict.calibration import store

    predictor = open_predictor(model)
    keeper = Keeper(cache_folder() / "scores")
    found = measured(
        predictor, images.records, PROTOCOLS[protocol], chosen, batch_size, max_unreadable, keeper
    )
    if stored:
        others = tuple(c for c in predictor.robustness if c.protocol != protocol)
        store(model, robustness=(*others, *found))
    if figure:
        draw(found, figure)
    show_robustness(found, form, model if stored else None)
    keeper.remove()
