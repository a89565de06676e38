"""`npr-keras explain`."""

from __future__ import annotations

import sys

import click

from npr_keras_cli.backend import backend_option, import_tensorflow_quietly
from npr_keras_cli.options import keras_model_option, protocol_option


@click.command("explain")
@click.argument("images", nargs=-1, required=True, type=click.Path())
@keras_model_option
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), help="Folder for the figures."
)
@click.option(
    "--compare",
    is_flag=True,
    help="Two images, real and generated, of one size: their NPR maps and the difference.",
)
@click.option(
    "--grid",
    default=8,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Regions a side that get a score each.",
)
@click.option(
    "--format",
    "forms",
    multiple=True,
    type=click.Choice(["png", "svg"]),
    help="May be given twice.  [default: png]",
)
@click.option("--arrays", is_flag=True, help="Write the maps too, as .npy files.")
@protocol_option
@backend_option
def command(images, model, out, compare, grid, forms, arrays, protocol, backend):
    """Show which parts of an image the detector reacts to.

    One figure an image: the verdict and its reasons, the image, its NPR map for each colour, the
    class activation map (exact here: its mean is the logit) and the logit of each region of a grid.

    \b
    npr-keras explain picture.png --model saved_models/npr --out figures
    npr-keras explain --compare real.png generated.png --model saved_models/npr --out figures
    """
    from npr_keras.packages import require
    from npr_keras.runtimes.open import require_keras_file
    from npr_keras_cli.console import say, warn_of_pixels, warn_skipped
    from npr_keras_cli.explanation_view import show_explanations

    if compare and len(images) != 2:
        raise click.UsageError("--compare takes two images: a real one and a generated one.")
    require("A figure", "matplotlib")
    require_keras_file(model, "the layers that explain looks into are folded away there")
    import_tensorflow_quietly()
    from npr_keras.data.walk import Skipped
    from npr_keras.explanation.write import Folder
    from npr_keras.runtimes.keras_file import KerasPredictor

    predictor = KerasPredictor(model)
    chosen = protocol or predictor.preprocessing
    warn_of_pixels(predictor.profile, chosen)
    folder = Folder(out, forms or ("png",), arrays, images)
    if compare:
        say(str(folder.compare(predictor, images, chosen, grid)))
        return
    skipped = Skipped()
    unreadable = show_explanations(folder.explain(predictor, images, chosen, grid, skipped))
    warn_skipped(skipped)
    if unreadable:
        sys.exit(1)
