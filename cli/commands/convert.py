"""`npr-keras convert`."""

from __future__ import annotations

import os

import click

from npr_keras.config import PROTOCOLS
from npr_keras.detectors import DETECTORS, get_method
from npr_keras.errors import ConfigError
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly

OFFICIAL = (".pth", ".pt")


@click.command("convert")
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
@click.option(
    "--detector",
    default="npr",
    show_default=True,
    type=click.Choice(list(DETECTORS)),
    help="Whose checkpoint it is.",
)
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    help="How the new .keras file's pixels are made.  [default: the detector's]",
)
@click.option("--overwrite", is_flag=True, help="Replace TARGET if it exists.")
@backend_option
def command(source, target, detector, protocol, overwrite, backend):
    """Convert an official PyTorch checkpoint to a .keras file, or back.

    \b
    npr-keras convert NPR.pth model.keras
    npr-keras convert ferretnet-s-median-3.pth ferretnet.keras --detector ferretnet
    npr-keras convert gandetection_weights/ gandetection.keras --detector gandetection
    npr-keras convert saved_models/npr/model.keras NPR.pth
    """
    if os.path.exists(target) and not overwrite:
        raise ConfigError(f"{target} exists. Give --overwrite to replace it.")
    several = os.path.isdir(source) and get_method(detector).fitted == "never"
    to_keras = (source.endswith(OFFICIAL) or several) and target.endswith(".keras")
    to_official = target.endswith(OFFICIAL) and not source.endswith(OFFICIAL)
    if not to_keras and not to_official:
        raise ConfigError(
            "Expected one official checkpoint (.pth) and one .keras file. "
            f"Received: {source} and {target}"
        )
    import_tensorflow_quietly()
    from npr_keras.models import load_detector, official, pth, save_detector
    from npr_keras.profile import ModelProfile
    from npr_keras.training.methods import detector_for

    if to_keras:
        method = get_method(detector)
        profile = ModelProfile(PROTOCOLS[protocol]) if protocol else None
        made = detector_for(method, profile=profile)
        state = pth.load_pths(source) if several else pth.load_pth(source)
        official.from_state_dict(made, state, method.fake_class)
        save_detector(made, target)
    else:
        pth.save_pth(official.to_state_dict(load_detector(source)), target)
    from npr_keras_cli.console import say

    say(f"Wrote {target}")
