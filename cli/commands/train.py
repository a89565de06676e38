"""`npr-keras train`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from npr_keras.config import PROTOCOLS, RECIPES, TrainingConfig
from npr_keras.detectors import DETECTORS, get_method, recipe_of
from npr_keras.errors import ConfigError
from npr_keras_cli.backend import backend_option
from npr_keras_cli.options import (
    comma_list,
    given,
    label_options,
    pipeline_option,
    plain_name,
    setting_options,
    unreadable_option,
)

# The recipe's fields that have an option each, and its names where they are not the field's.
RECIPE: dict[str, tuple[str, ...]] = {
    "epochs": (),
    "minutes": (),
    "batch_size": (),
    "learning_rate": ("--lr", "--learning-rate"),
    "decay": (),
    "decay_every": (),
    "resize": (),
    "crop": (),
    "flip": (),
    "blur": (),
    "blur_sigma": (),
    "jpeg": ("--jpeg-probability", "--jpeg"),
    "jpeg_quality": (),
    "schedule": (),
    "rotate": (),
    "rescale": (),
    "rescale_factor": (),
    "colour": (),
    "noise": (),
    "noise_sigma": (),
    "webp": (),
    "webp_quality": (),
    "cutout": (),
    "draws": (),
    "seed": (),
    "precision": (),
}


@click.command("train")
@click.option(
    "--source", default="progan", show_default=True, help="progan, simulated, or a folder."
)
@click.option(
    "--detector",
    default="npr",
    show_default=True,
    type=click.Choice(list(DETECTORS)),
    help="What is trained. The recipe's defaults below are NPR's.",
)
@click.option(
    "--weights",
    type=click.Path(),
    help="PyTorch checkpoint that the backbone begins with, such as ImageNet's; for dire, the folder of "
    "its diffusion model.",
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
    help="The run's folder under --out.  [default: <detector>-<source>-<classes>]",
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
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="official",
    show_default=True,
    help="What the options below are by default; robust: native crops, and all that happens to images.",
)
@click.option(
    "--pairs",
    is_flag=True,
    help="A real and a generated image of one name come together, treated alike.",
)
@click.option(
    "--stay-positive",
    is_flag=True,
    help="Fit the last layer once more at the end, with weights that are never negative.",
)
@setting_options(TrainingConfig, RECIPE)
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    help="Preprocessing for scoring, stored with the model.  [default: native with --resize none, "
    "else resize256]",
)
@label_options
@unreadable_option
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard logs into the run's folder.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False),
    help="Folder for decoded images, so that files are decoded once; 3 bytes a pixel.",
)
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
    npr-keras train --source pairs --pairs --recipe robust --detector ferretnet
    npr-keras train --source my_images --epochs 20 --seed 1 --name mine
    """
    from npr_keras.report.text import json_text

    method = get_method(options["detector"])
    if method.fitted == "never":
        raise ConfigError(
            f"How {method.title} was trained was not published. Its weights, if you have them, become a "
            f"detector by: npr-keras convert --detector {options['detector']} FOLDER model.keras"
        )
    if method.brings and not options["weights"]:
        raise ConfigError(
            f"--detector {options['detector']} needs {method.brings}: give it by --weights. It "
            "does not come with this package."
        )
    if options["weights"] and not Path(options["weights"]).exists():
        raise ConfigError(f"--weights is a PyTorch checkpoint. There is no {options['weights']}")
    typed = {
        **given(RECIPE),
        "pairs": options["pairs"],
        "stay_positive": options["stay_positive"],
        "max_unreadable": options["max_unreadable"],
    }
    config = recipe_of(
        method, TrainingConfig.from_dict({**method.recipe, **RECIPES[options["recipe"]], **typed})
    )
    result = _train(config, options)
    if options["as_json"]:
        click.echo(json_text(result), nl=False)


def _train(config: TrainingConfig, options: dict) -> dict:
    """Trains, with progress; returns what --json prints."""
    from npr_keras.data.folder import find_source
    from npr_keras.data.walk import Skipped
    from npr_keras_cli.backend import import_tensorflow_quietly
    from npr_keras_cli.console import say, say_command, warn_left_out, warn_skipped
    from npr_keras_cli.inputs import source_of
    from npr_keras_cli.training_view import opening, tensorboard, watcher

    skipped = Skipped()
    source = find_source(source_of(options), options["classes"], options["names"], skipped)
    warn_skipped(skipped)
    out = Path(options["out"], options["name"] or _default_name(options))
    fitted = get_method(options["detector"]).fitted
    say(opening(source, config, options["backend"], out, fitted))
    import_tensorflow_quietly()
    from npr_keras.training import train

    watching = watcher(config)
    callbacks = [watching, *([tensorboard(out)] if options["tensorboard"] else [])]
    try:
        result = train(
            source,
            config,
            preprocessing=PROTOCOLS.get(options["protocol"]),
            out=out,
            resume=options["resume"],
            pipeline=options["pipeline"],
            callbacks=callbacks,
            method=options["detector"],
            weights=options["weights"],
            cache=options["cache"],
            preparing=watching.preparing,
        )
    except KeyboardInterrupt:
        again = shlex.join(["npr-keras", *(a for a in sys.argv[1:] if a != "--resume"), "--resume"])
        say("\nInterrupted. Finished epochs are kept; resume with:")
        say_command(f"  {again}")
        raise SystemExit(1) from None
    finally:
        watching.close()
    warn_left_out(result.unreadable)
    judged = "--suite simulated" if options["source"] == "simulated" else "--data DIR"
    say(f"\nDone: {out / 'model.keras'}\nEvaluate it with:")
    say_command(f"  npr-keras eval --model {out} {judged}")
    return {
        "model": str(out / "model.keras"),
        "epochs": len(result.history),
        "last": result.history[-1],
        "unreadable": result.unreadable,
    }


def _default_name(options: dict) -> str:
    parts = [options["detector"], Path(options["source"]).resolve().name, *options["classes"]]
    return "-".join(parts).replace("/", "-")
