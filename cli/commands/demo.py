"""`npr-keras demo`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from npr_keras.config import TrainingConfig
from npr_keras.errors import MissingPackageError
from npr_keras_cli.backend import backend_option

_STEPS = 9


@click.command("demo")
@click.option(
    "--out",
    default="saved_models",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Where the detector is kept.",
)
@click.option(
    "--seed",
    default=TrainingConfig.seed,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Of the training.",
)
@backend_option
def command(out, seed, backend):
    """See NPR work, from nothing, in about six minutes.

    Shows the detector that comes with the package on two images. Then simulates generators, trains
    a detector on one kind of up-sampling, calibrates and measures it, evaluates it on four, scores
    three images, exports the detector, serves it and asks the server. Nothing is downloaded. Every step shows the command that does it. Interrupted, the same
    command resumes.
    """
    from npr_keras_cli.console import say

    begun = time.monotonic()
    chosen = ("--backend", backend) if _was_given("backend") else ()
    where = ("--out", out) if _was_given("out") else ()
    sown = ("--seed", str(seed)) if _was_given("seed") else ()
    name = "-".join(["demo", *chosen[1:], *sown[1:]])
    model = f"{out}/{name}"
    recipe = [
        "--resize",
        "none",
        "--crop",
        "128",
        "--epochs",
        "6",
        "--decay",
        "0.6",
        "--decay-every",
        "1",
    ]
    say("Everything is made here, nothing is downloaded. About 6 minutes on 2 cores.")

    _step(
        1,
        "What comes with the package: a photograph, and a generated copy of it",
        *("predict", *_shipped_pair(), "--model", "npr-lab", *chosen),
    )
    _step(2, "Photographs, and generators that reproduce them", "data", "simulate", *chosen)
    _step(
        3,
        "A detector, trained on nearest-neighbour up-sampling alone",
        *("train", "--source", "simulated", "--name", name, "--resume"),
        *(*recipe, *sown, *where, *chosen),
    )
    _calibrate_and_measure(model, chosen)
    _step(
        6,
        "Evaluated on four operators, three of them never seen",
        *("eval", "--model", model, "--suite", "simulated", *chosen),
    )
    _step(
        7,
        "A photograph, a generated copy of it, and that copy as a JPEG",
        *("predict", *_three_images(), "--model", model, *chosen),
    )
    title = "The same detector for TensorFlow Serving: image files in, scores out"
    if exported := _exported(model):
        say(f"\n8/{_STEPS}  {title}: {exported}, from before")
    else:
        _step(8, title, "export", model, apart=True)
    _serve_and_ask(model)
    if shutil.which("npr-keras") is None:
        here = Path(sys.executable).parent
        say(f"\nTo type these commands, first: source {os.path.relpath(here)}/activate")
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    say(
        f"\nDone in {minutes}:{seconds:02}. The detector is {model}/model.keras.\n"
        "It was trained on simulated generators only: it shows how NPR works and does not judge real "
        "images. For that, train on real generators: npr-keras train --help"
    )


def _was_given(name: str) -> bool:
    from click.core import ParameterSource

    context = click.get_current_context()
    return context.get_parameter_source(name) == ParameterSource.COMMANDLINE


def _step(number: int, title: str, *arguments: str, apart: bool = False) -> None:
    """Shows a command and runs it: in this process, or apart, where it needs a backend that may
    not be this one's."""
    from npr_keras_cli.console import say_command, stderr
    from npr_keras_cli.main import main

    stderr().print(f"\n{number}/{_STEPS}  {title}", style="bold", markup=False)
    say_command(f"$ {_folded(arguments)}\n")
    if apart:
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-m", "npr_keras_cli.main", *arguments])
        if done.returncode:
            raise SystemExit(done.returncode)
        return
    sys.argv[1:] = arguments  # what a step shows when it is interrupted
    try:
        main.main(list(arguments), prog_name="npr-keras", standalone_mode=False)
    except click.ClickException as error:
        afresh = "\n\nTo start the demo afresh, give another --out or another --seed."
        error.message += afresh  # type: ignore[misc]  # final, but each kind has its own __init__
        raise
    sys.stdout.flush()


def _calibrate_and_measure(model: str, chosen) -> None:
    """What its scores mean, and what JPEG does to it: on images it was not trained on."""
    from npr_keras.simulation.builtin import simulated_folder
    from npr_keras_cli.console import say

    titles = ("What its scores mean: a threshold, and a probability", "What JPEG does to it")
    data = ("--data", str(simulated_folder("source") / "val"))
    conditions = [f"--condition={text}" for text in ("none", "jpeg=95,80,50", "crop=64")]
    try:
        _step(4, titles[0], "calibrate", "--model", model, *data, *chosen)
        _step(5, titles[1], "robustness", "--model", model, *data, *conditions, "--store", *chosen)
    except click.ClickException as error:  # a seed that learned nothing: scores, and no verdicts
        say(f"Left out: {error.message.partition(chr(10) * 2)[0]}")


def _exported(model: str) -> str | None:
    """The version that was made of this very file, if that is the newest."""
    from npr_keras.models.files import file_digest
    from npr_keras.runtimes.savedmodel import FACTS, version_folder

    folder = version_folder(model)
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return None
    return str(folder) if facts.get("source") == file_digest(model) else None


def _serve_and_ask(model: str) -> None:
    """The last step: a server in a process of its own, and what it says of the two pictures."""
    from npr_keras_cli.console import say, say_command, stderr
    from npr_keras_cli.serving_view import require_serving

    stderr().print(f"\n9/{_STEPS}  Served, and asked", style="bold", markup=False)
    say_command(f"$ {_folded(('serve', model))}\n")
    try:
        require_serving()
    except MissingPackageError as error:
        say(f"Left out: {error}")
        return
    ports = ["--rest-port", "0", "--grpc-port", "0"]  # any that are free
    command = [sys.executable, "-m", "npr_keras_cli.main"]
    server = subprocess.Popen([*command, "serve", model, *ports], stderr=subprocess.PIPE, text=True)
    try:
        url = ""
        for line in server.stderr or ():
            say(line.rstrip())
            found = re.search(r"--url (http\S+)", line)
            url = found[1] if found else url
            if "Ctrl-C" in line:
                break
        else:
            raise SystemExit(server.wait())
        asked = ("query", *_three_images(), "--url", url)
        say_command(f"\n$ {_folded(asked)}\n")
        sys.stdout.flush()
        if subprocess.run([*command, *asked]).returncode:
            raise SystemExit(1)
    finally:
        server.terminate()
        server.communicate()


def _folded(arguments: tuple[str, ...]) -> str:
    """The command as it is typed, at most 80 columns wide where no part is longer."""
    lines = ["npr-keras"]
    for part in map(shlex.quote, arguments):
        if len(lines[-1]) + len(part) > 75:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {part}"
    return "\n".join(lines)


def _shipped_pair() -> tuple[str, str]:
    """scikit-learn's photograph, and what the last stages of our own small generator make of it."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_sample_images

    from npr_keras.atomic import replacing
    from npr_keras.cache import cache_folder
    from npr_keras.reconstruction.base import open_decoder
    from npr_keras_cli.backend import import_tensorflow_quietly

    import_tensorflow_quietly()
    folder = cache_folder() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    pixels = load_sample_images().images[0][:416, :640]
    _, decoder = open_decoder("npr-progan")
    copy = decoder.reconstruct(pixels, np.random.default_rng(0))
    paths = folder / "photograph.jpg", folder / "generated.png"
    for path, image in zip(paths, (pixels, np.clip(copy.round(), 0, 255)), strict=True):
        with replacing(path) as temporary:
            Image.fromarray(image.astype(np.uint8)).save(temporary, quality=95)
    return str(paths[0]), str(paths[1])


def _three_images() -> tuple[str, str, str]:
    """A photograph of the suite, its copy from a generator that interpolates, and that as a JPEG."""
    from PIL import Image

    from npr_keras.atomic import replacing
    from npr_keras.cache import cache_folder
    from npr_keras.simulation.builtin import simulated_folder

    real = min((simulated_folder("suite") / "bilinear").glob("x*/0_real/[0-9]*.png"))
    fake = real.parent.parent / "1_fake" / real.name
    jpeg = cache_folder() / "demo" / "generated.jpg"
    jpeg.parent.mkdir(parents=True, exist_ok=True)
    with replacing(jpeg) as temporary, Image.open(fake) as image:
        image.save(temporary, quality=80)
    return str(real), str(fake), str(jpeg)
