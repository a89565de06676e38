"""`npr-keras data reconstruct` and `npr-keras data decoders`."""

from __future__ import annotations

import click

from npr_keras.reconstruction.plan import ReconstructionConfig
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly
from npr_keras_cli.options import setting_options


@click.command("reconstruct")
@click.option("--photos", required=True, type=click.Path(), help="Photographs, with all below.")
@click.option(
    "--decoder",
    "decoders",
    multiple=True,
    default=("npr-ldm", "npr-stylegan", "npr-progan"),
    metavar="DECODER",
    help="Files, with commas between them, kind=FILES, name:kind=FILES, or what needs no file; "
    "several times. See npr-keras data decoders.  [default: the three that come with the package]",
)
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder to make.")
@setting_options(ReconstructionConfig, {"count": (), "size": (), "scale": (), "latent_noise": ()})
@click.option("--grid-offset", is_flag=True, help="Cut pictures anywhere on the decoder's grid.")
@setting_options(
    ReconstructionConfig,
    {"keep_jpeg": (), "mix": (), "mix_share": (), "blend": (), "validation": (), "seed": ()},
)
@click.option("--licence", default="", help="The photographs', for the manifest.")
@backend_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def reconstruct(photos, decoders, out, licence, backend, as_json, **settings):
    """Make training pairs from photographs and the last stages of generators.

    Each picture is there twice under one name: a piece of a photograph, and what a decoder makes
    of it, both PNG. They differ in nothing but the decoder's trace, which is what a detector is to
    learn. pairs.csv says where each is from. Stopped or killed, the same command goes on.

    \b
    npr-keras data reconstruct --photos holiday/ --out pairs
    npr-keras data reconstruct --photos holiday/ --out pairs \\
        --decoder taef2_encoder.pth,taef2_decoder.pth --decoder srgan_x4.onnx
    npr-keras train --source pairs --pairs --recipe robust
    """
    import_tensorflow_quietly()
    from npr_keras.errors import ConfigError
    from npr_keras.reconstruction.base import open_decoder
    from npr_keras.reconstruction.make import reconstruct as make
    from npr_keras.report.text import json_text
    from npr_keras_cli.console import warn_left_out
    from npr_keras_cli.reconstruction_view import show_pairs
    from npr_keras_cli.simulation_view import simulation_bar

    opened = {}
    for text in decoders:
        name, decoder = open_decoder(text)
        if name in opened:
            raise ConfigError(f"Two decoders are called {name}: give one a name, name:kind=FILES")
        opened[name] = decoder
    with simulation_bar() as show:
        report = make(out, photos, opened, ReconstructionConfig(**settings), licence, show)
    warn_left_out(report["left_out"], "")
    if as_json:
        click.echo(json_text(report), nl=False)
    else:
        show_pairs(report, out)


@click.command("train-decoder")
@click.option(
    "--family", required=True, help="ldm, vq, adm, progan, stylegan, cyclegan or pixelshuffle."
)
@click.option("--photos", required=True, type=click.Path(), help="Photographs to learn from.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False), help="The .keras file to make."
)
@click.option(
    "--stages",
    default=2,
    show_default=True,
    type=click.IntRange(1, 3),
    help="Halvings and doublings.",
)
@click.option(
    "--steps", default=1000, show_default=True, type=click.IntRange(1), help="Of training."
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="Of weights and crops."
)
@backend_option
def train_decoder(family, photos, out, stages, steps, seed, backend):
    """Train a decoder of your own, with the last stages of a real architecture.

    Small networks, minutes on a CPU: ldm, vq and adm end like diffusion models, progan, stylegan and
    cyclegan like GANs, pixelshuffle like super-resolution networks.

    \b
    npr-keras data train-decoder --family ldm --photos holiday/ --out ldm.keras
    npr-keras data reconstruct --photos holiday/ --out pairs --decoder ldm.keras
    """
    import_tensorflow_quietly()
    from npr_keras.reconstruction.train_decoder import train_decoder as train
    from npr_keras_cli.console import say
    from npr_keras_cli.simulation_view import simulation_bar

    with simulation_bar() as show:
        psnr = train(family, photos, out, stages, steps, seed, show)
    say(f"Made: {out}, PSNR {psnr:.1f} dB on what it learnt from")


@click.command("decoders")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def decoders(as_json):
    """List what photographs can be reconstructed by, and where its files can be had.

    Nothing is downloaded, and none of these come with this package.
    """
    import dataclasses

    from npr_keras.report.text import json_text
    from npr_keras.tables import DECODERS
    from npr_keras_cli.reconstruction_view import show_decoders

    if as_json:
        rows = [{"kind": kind, **dataclasses.asdict(row)} for kind, row in DECODERS.items()]
        click.echo(json_text(rows), nl=False)
    else:
        show_decoders(DECODERS)
