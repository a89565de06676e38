"""`npr-keras convert`."""

from __future__ import annotations

import os

import click

from npr_keras.config import PROTOCOLS
from npr_keras.errors import ConfigError
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly

OFFICIAL = (".pth", ".pt")


@click.command("convert")
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--protocol",
    default="resize256",
    show_default=True,
    type=click.Choice(list(PROTOCOLS)),
    help="How the new .keras file's pixels are made.",
)
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
@backend_option
def command(source, target, protocol, overwrite, backend):
    """Convert an official PyTorch checkpoint to a .keras file, or back.

    \b
    npr-keras convert NPR.pth model.keras
    npr-keras convert saved_models/npr/model.keras NPR.pth
    """
    if os.path.exists(target) and not overwrite:
        raise ConfigError(f"{target} exists. Give --overwrite to replace it.")
    to_keras = source.endswith(OFFICIAL) and target.endswith(".keras")
    to_official = target.endswith(OFFICIAL) and not source.endswith(OFFICIAL)
    if not to_keras and not to_official:
        raise ConfigError(
            "Expected one official checkpoint (.pth) and one .keras file. "
            f"Received: {source} and {target}"
        )
    import_tensorflow_quietly()
    from npr_keras.models import Detector, load_detector, official, save_detector
    from npr_keras.profile import ModelProfile

    if to_keras:
        detector = Detector(profile=ModelProfile(PROTOCOLS[protocol]))
        official.from_state_dict(detector, official.load_pth(source))
        save_detector(detector, target)
    else:
        official.save_pth(official.to_state_dict(load_detector(source)), target)
    from npr_keras_cli.console import say

    say(f"Wrote {target}")
