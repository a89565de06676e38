"""`npr-keras robustness`."""

from __future__ import annotations

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly, open_quietly
from npr_keras_cli.options import (
    conditions,
    label_options,
    model_option,
    protocol_option,
    unreadable_option,
)

FEWEST = 20  # of either label: from fewer, three quarters cannot be told from half


@click.command("robustness")
@model_option("A run's folder, a .keras file, what npr-keras export wrote, or a preset's name.")
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
    from npr_keras.report.text import DRAWN, check_path
    from npr_keras.tables import standard_conditions
    from npr_keras_cli.console import progress_bar, warn, warn_left_out, warn_not_kept
    from npr_keras_cli.inputs import sets_in
    from npr_keras_cli.robustness_view import draw, show_robustness

    if figure:
        check_path(figure, DRAWN, "A figure")
    (images,) = sets_in(data, True, names)
    if stored and min(count_labels(images.records)) < FEWEST:
        raise LayoutError(
            f"--store needs at least {FEWEST} real and {FEWEST} generated images. Received: "
            "{} and {}".format(*count_labels(images.records))
        )
    import_tensorflow_quietly()
    from npr_keras.cache import cache_folder
    from npr_keras.data.unreadable import Unreadable
    from npr_keras.evaluation.robustness import measure_robustness, merged
    from npr_keras.runtimes.open import require_keras_file
    from npr_keras.scoring.score_log import ScoreLogs

    if stored:
        from npr_keras.models.files import require_own

        require_keras_file(require_own(model), "nothing is stored in those")

    predictor = open_quietly(model)
    protocol = protocol or predictor.preprocessing
    if stored and protocol != predictor.preprocessing:
        warn(
            f"this model makes {predictor.preprocessing.name} pixels; what is measured on "
            f"{protocol.name} pixels is used with --protocol {protocol.name} only."
        )
    keeper = ScoreLogs(cache_folder() / "scores")
    unreadable = Unreadable(len(images.records), max_unreadable)
    conditions = chosen or standard_conditions()
    with progress_bar() as bar:
        task = bar.add_task("", total=len(images.records) * len(conditions), note="")
        found = measure_robustness(
            predictor,
            images.records,
            protocol,
            conditions,
            predictor.profile.calibration_for(protocol).threshold,
            batch_size,
            unreadable,
            lambda name, done: bar.update(task, advance=done, description=name),
            keeper,
        )
    warn_left_out(unreadable.reasons)
    if stored and not any(c.kind == "none" for c in merged(predictor.profile.robustness, found)):
        warn("without the condition none, predict finds every uncompressed image inconclusive.")
    if stored:
        from npr_keras.models.files import store_in_profile

        store_in_profile(model, robustness=merged(predictor.profile.robustness, found))
    if figure:
        draw(found, figure)
    show_robustness(found, form, model if stored else None)
    warn_not_kept(keeper.failure)
    keeper.remove()
