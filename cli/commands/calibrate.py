"""`npr-keras calibrate`."""

from __future__ import annotations

import json

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly, open_quietly
from npr_keras_cli.options import (
    keras_model_option,
    label_options,
    pipeline_option,
    protocol_option,
    share,
    unreadable_option,
)


@click.command("calibrate")
@keras_model_option
@click.option("--data", type=click.Path(), help="Real and generated images, in 0_real and 1_fake.")
@click.option("--reals", type=click.Path(), help="Real images alone, in any folders.")
@click.option(
    "--fpr",
    callback=share,
    help="Share of real images that may be called generated, such as 1%.",
)
@protocol_option
@click.option(
    "--figure", type=click.Path(dir_okay=False), help="Draw a reliability diagram: .svg or .png."
)
@click.option("--dry-run", is_flag=True, help="Do not store it with the model.")
@label_options
@unreadable_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pipeline_option
@backend_option
def command(
    model,
    data,
    names,
    reals,
    fpr,
    protocol,
    figure,
    dry_run,
    max_unreadable,
    as_json,
    pipeline,
    backend,
):
    """Find out what a detector's scores mean, and store it with the detector.

    From real and generated images (--data): a temperature and a shift, so that of the images with
    probability 0.8 four in five are generated, both kinds being equally many; the threshold is at
    0.5. From real images alone (--reals with --fpr), or in addition (--data with --fpr): the
    threshold that, with 95 % confidence, not more than that share of real images exceed.

    The images have to be like those that will be scored: same origin, same formats. With
    --protocol the model makes its pixels like that from now on.

    \b
    npr-keras calibrate --model saved_models/npr --data DIR
    npr-keras calibrate --model saved_models/npr --reals DIR --fpr 1%
    """
    from npr_keras.report.text import DRAWN, check_path
    from npr_keras_cli.calibration_view import (
        draw,
        say_what_changed,
        show_calibration,
    )
    from npr_keras_cli.console import progress_bar, warn_left_out
    from npr_keras_cli.inputs import sets_in, told

    if not dry_run:
        from npr_keras.models.files import require_own

        require_own(model)
    if (data is None) == (reals is None):
        raise click.UsageError("From what: either --data DIR or --reals DIR.")
    if reals and fpr is None:
        raise click.UsageError("--reals needs --fpr, such as --fpr 1%.")
    if figure:
        if reals:
            raise click.UsageError("A reliability diagram needs --data: real and generated images.")
        check_path(figure, DRAWN, "A figure")
    import_tensorflow_quietly()
    from npr_keras.evaluation.calibration import calibrate, scores_to_calibrate_on
    from npr_keras.evaluation.evaluate import evaluate
    from npr_keras.inputs import real_images
    from npr_keras.runtimes.open import require_keras_file

    if not dry_run:
        require_keras_file(model, "nothing is stored in those")

    predictor = open_quietly(model)
    chosen = protocol or predictor.preprocessing
    sets = sets_in(data, True, names) if data else told(real_images(reals, names)).sets
    with progress_bar() as bar:
        task = bar.add_task("scoring", total=len(sets[0].records), note="")
        (result,) = evaluate(
            predictor,
            sets,
            chosen,
            pipeline=pipeline,
            max_unreadable=max_unreadable,
            progress=lambda name, done: bar.update(task, advance=done),
        )
    warn_left_out(result.unreadable)
    labels, logits = scores_to_calibrate_on(result)
    found = calibrate(labels, logits, fpr, predictor.profile.calibration_for(chosen), chosen.name)
    if figure:
        draw(found, figure)
    if not dry_run:
        from npr_keras.models.files import store_in_profile

        # The model scores from now on as it was calibrated.
        store_in_profile(model, calibration=found.calibration, preprocessing=chosen)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        show_calibration(found, None if dry_run else model)
    if not dry_run:
        say_what_changed(predictor.profile, found.calibration, chosen)
