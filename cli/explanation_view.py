"""Explanations: figures and arrays into a folder, a line for each image."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from npr_keras.errors import ConfigError, MissingPackageError, UnreadableImageError
from npr_keras_cli.console import say, stdout, warn_skipped


def require_drawing(out: str) -> None:
    """Raises what would stop the drawing, before the work; makes the folder."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingPackageError('Figures need matplotlib: pip install "npr-keras[report]"')
    os.makedirs(out, exist_ok=True)


def explain_all(predictor, images, protocol, grid: int, out: str, forms, arrays: bool) -> int:
    """A figure for each image, folders included; returns how many could not be read."""
    from npr_keras.data.examine import examine
    from npr_keras.data.walk import Skipped
    from npr_keras.explain import explain
    from npr_keras.explain.figures import explanation_figure
    from npr_keras.predict.files import expand
    from npr_keras.verdict import conclude

    unreadable = 0
    taken: set[str] = set()
    inputs = {os.path.realpath(path) for path in images}
    stdout().print("probability  verdict       figure", style="bold")
    skipped = Skipped()
    for name, path, error in expand(images, skipped):
        try:
            if error:
                raise UnreadableImageError(error)
            image = examine(path, protocol)
        except UnreadableImageError as fault:
            unreadable += 1
            stdout().print(f"{'–':>11}  {'unreadable':12}  {fault}", markup=False, soft_wrap=True)
            continue
        found = explain(predictor.detector, image.pixels, grid)
        concluded = conclude(predictor.profile, name, image, found.logit, protocol)
        target = Path(out, _free_name(f"{Path(path).stem}-explained", taken))
        verdict = concluded.verdict or "no verdict"
        drawing = explanation_figure(
            found,
            f"{os.path.basename(path)}: {verdict}",
            _figure_lines(concluded),
            _footer(predictor),
        )
        written = _write(drawing, target, forms, inputs)
        if arrays:
            _write_arrays(found, target)
        line = f"{concluded.probability:11.4f}  {concluded.verdict or '–':12}  {written}"
        stdout().print(line, markup=False, soft_wrap=True)
    warn_skipped(skipped)
    return unreadable


def _figure_lines(concluded) -> list[str]:
    """What stands below a figure's title: the score and what it was of, and the reasons."""
    probability = concluded.probability
    shown = "below 0.001" if probability < 0.001 else f"{probability:.3f}"
    shown = "above 0.999" if probability > 0.999 else shown
    claims = [f"the file claims: {claim}" for claim in concluded.history.claims]
    return [
        f"probability of being generated {shown}, logit {concluded.logit:+.2f}, {concluded.pixels} pixels",
        *concluded.reasons,
        *claims,
    ]


def _footer(predictor) -> str:
    """What made the figure: model, digest, version, date, and what everyone has to know of it."""
    import datetime

    from npr_keras import __version__

    name = predictor.path or "a detector in memory"
    digest = f", SHA-256 {predictor.identity[:12]}" if predictor.identity else ""
    made = f"{name}{digest}, npr-keras {__version__}, {datetime.date.today().isoformat()}"
    return f"{made}. {predictor.profile.notice}".rstrip(". ") + "."


def explain_pair(predictor, images, protocol, grid: int, out: str, forms, arrays: bool) -> None:
    """One figure of two images of one size."""
    from npr_keras.data.decode import load
    from npr_keras.explain import explain
    from npr_keras.explain.figures import comparison_figure

    pixels = [load(path, protocol) for path in images]
    if pixels[0].shape != pixels[1].shape:
        sizes = " and ".join(f"{p.shape[1]} x {p.shape[0]}" for p in pixels)
        raise ConfigError(
            f"--compare takes images of one size. Received: {sizes}. --protocol resize256 makes them "
            "one, and changes their NPR maps."
        )
    real, fake = (explain(predictor.detector, p, grid) for p in pixels)
    names = [Path(path).stem for path in images]
    drawing = comparison_figure(real, fake, [os.path.basename(path) for path in images])
    inputs = {os.path.realpath(path) for path in images}
    pair = f"{names[0]}-compared-{names[1]}"
    written = _write(drawing, Path(out, pair), forms, inputs)
    if arrays:
        taken: set[str] = set()
        for name, one in zip(names, (real, fake), strict=True):
            _write_arrays(one, Path(out, _free_name(f"{name}-compared", taken)))
    say(str(written))


def _free_name(stem: str, taken: set[str]) -> str:
    """Images of the same name in different folders get a number."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    taken.add(name)
    return name


def _write(drawing, path: Path, forms, inputs: set[str]) -> Path:
    from npr_keras.report.charts import save

    for form in dict.fromkeys(forms):
        written = path.with_name(f"{path.name}.{form}")
        if os.path.realpath(written) in inputs:
            raise ConfigError(f"{written} is one of the images to explain. Give another --out.")
        save(drawing, written)
    return written


def _write_arrays(found, path: Path) -> None:
    import numpy as np

    from npr_keras.atomic import replacing

    for kind in ("representation", "activation", "regions"):
        with (
            replacing(path.with_name(f"{path.name}-{kind}.npy")) as temporary,
            open(temporary, "wb") as file,
        ):
            np.save(file, getattr(found, kind))
