"""`npr-keras robustness`."""

from __future__ import annotations

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly, open_quietly
from npr_keras_cli.options import conditions, label_options, protocol_option, unreadable_option

FEWEST = 20  # of either label: from fewer, three quarters cannot be told from half


@click.command("robustness")
@click.option(
    "--model",
    required=True,
    type=click.Path(),
    help="A run's folder, a .keras file, or what npr-keras export wrote.",
)
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
    "(standard deviation), crop (side), none. Repeatable.  [default: a standard list]",
)
@protocol_option
@click.option(
    "--store", "stored", is_flag=True, help="Keep it with the model, for predict's verdicts."
)
@click.option("--figure", type=click.Path(dir_okay=False), help="Draw it: .svg or .png.")
@click.option(
    "--batch-size", default=32, show_default=True, type=click.IntRange(1), help="Images at once."
)
@label_options
@unreadable_option
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@backend_option
def command(
    model, data, names, chosen, protocol, stored, figure, batch_size, max_unreadable, form, backend
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
    from npr_keras.data.records import count_labels
    from npr_keras.errors import LayoutError
    from npr_keras_cli.calibration_view import check_figure
    from npr_keras_cli.console import warn, warn_left_out
    from npr_keras_cli.robustness_view import draw, measured, merged, show_robustness
    from npr_keras_cli.suites_view import judged_sets

    if figure:
        check_figure(figure)
    (images,) = judged_sets(data, True, names)
    if stored and min(count_labels(images.records)) < FEWEST:
        raise LayoutError(
            f"--store needs at least {FEWEST} real and {FEWEST} generated images. Received: "
            "{} and {}".format(*count_labels(images.records))
        )
    import_tensorflow_quietly()
    from npr_keras.cache import cache_folder
    from npr_keras.data.unreadable import Unreadable
    from npr_keras.evaluation.kept import Keeper
    from npr_keras.predict.calibration import store
    from npr_keras.predict.open import require_keras_file

    if stored:
        require_keras_file(model, "nothing is stored in those")

    predictor = open_quietly(model)
    protocol = protocol or predictor.preprocessing
    if stored and protocol != predictor.preprocessing:
        warn(
            f"this model makes {predictor.preprocessing.name} pixels; what is measured on "
            f"{protocol.name} pixels is used with --protocol {protocol.name} only."
        )
    keeper = Keeper(cache_folder() / "scores")
    unreadable = Unreadable(len(images.records), max_unreadable)
    found = measured(predictor, images.records, protocol, chosen, batch_size, unreadable, keeper)
    warn_left_out(unreadable.reasons)
    if stored and not any(c.kind == "none" for c in merged(predictor.profile.robustness, found)):
        warn("without the condition none, predict finds every uncompressed image inconclusive.")
    if stored:
        store(model, robustness=merged(predictor.profile.robustness, found))
    if figure:
        draw(found, figure)
    show_robustness(found, form, model if stored else None)
    keeper.remove()
