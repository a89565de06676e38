"""`npr-keras train`."""

from __future__ import annotations

import json

import click

from npr_keras.config import PRECISIONS, PROTOCOLS, TrainingConfig
from npr_keras_cli.backend import backend_option
from npr_keras_cli.options import (
    comma_list,
    label_options,
    pipeline_option,
    pixels_or_none,
    plain_name,
    unreadable_option,
)

DEFAULT = TrainingConfig()


@click.command("train")
@click.option(
    "--source", default="progan", show_default=True, help="progan, simulated, or a folder."
)
@click.option(
    "--classes",
    callback=comma_list,
    help="Classes; the paper's are car,cat,chair,horse.  [default: all]",
)
@click.option(
    "--data-root",
    envvar="NPR_DATA",
    type=click.Path(),
    help="Where the named sources lie (or NPR_DATA).",
)
@click.option(
    "--name",
    callback=plain_name,
    help="The run's folder under --out.  [default: npr-<source>-<classes>]",
)
@click.option(
    "--out",
    default="saved_models",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Where runs are kept.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with the run that is there; start it if there is none."
)
@click.option(
    "--epochs",
    default=DEFAULT.epochs,
    show_default=True,
    type=click.IntRange(1),
    help="Passes over the images.",
)
@click.option(
    "--batch-size",
    default=DEFAULT.batch_size,
    show_default=True,
    type=click.IntRange(1),
    help="Images a step.",
)
@click.option(
    "--lr",
    default=DEFAULT.learning_rate,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Adam's step size.",
)
@click.option(
    "--decay",
    default=DEFAULT.decay,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="What the step size is multiplied with, each time.",
)
@click.option(
    "--decay-every",
    default=DEFAULT.decay_every,
    show_default=True,
    type=click.IntRange(1),
    help="Epochs from one time to the next.",
)
@click.option(
    "--resize",
    default=str(DEFAULT.resize),
    show_default=True,
    callback=pixels_or_none,
    help="Both sides before the crop, in pixels; none: as the images are.",
)
@click.option(
    "--crop",
    default=DEFAULT.crop,
    show_default=True,
    type=click.IntRange(2),
    help="Side of the random crop, in pixels.",
)
@click.option(
    "--flip",
    default=DEFAULT.flip,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Probability that an image is mirrored.",
)
@click.option(
    "--blur",
    default=DEFAULT.blur,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Probability that it is blurred, sigma 0 to 3 pixels.",
)
@click.option(
    "--jpeg-probability",
    "--jpeg",
    "jpeg",
    default=DEFAULT.jpeg,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Probability of JPEG recompression, quality 30 to 100.",
)
@click.option(
    "--seed",
    default=DEFAULT.seed,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Of weights, order, crops and so on.",
)
@click.option(
    "--precision",
    default=DEFAULT.precision,
    show_default=True,
    type=click.Choice(PRECISIONS),
    help="Mixed: for GPUs.",
)
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    help="Preprocessing for scoring, stored with the model.  [default: native with --resize none, "
    "else resize256]",
)
@label_options
@unreadable_option
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard logs into the run's folder.")
@pipeline_option
@backend_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(**options):
    """Train a detector on real and generated images.

    The defaults are the official recipe. Progress goes to stderr. Stopped by Ctrl-C or killed, a
    run goes on with --resume and ends with the weights it would have had.

    \b
    npr-keras train --source progan --classes car,cat,chair,horse
    npr-keras train --source simulated --crop 128 --epochs 6 --decay 0.6 --decay-every 1
    npr-keras train --source my_images --epochs 20 --seed 1 --name mine
    """
    from npr_keras.report.write import without_nan
    from npr_keras_cli.training_view import run_training

    result = run_training(options)
    if options["as_json"]:
        click.echo(json.dumps(without_nan(result), indent=2))
