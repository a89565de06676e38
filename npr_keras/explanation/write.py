"""Explanations of files into a folder: figures, and the maps themselves."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npr_keras import __version__
from npr_keras.atomic import replacing
from npr_keras.config import Preprocessing
from npr_keras.data.decode import load
from npr_keras.data.walk import Skipped
from npr_keras.errors import ConfigError, UnreadableImageError
from npr_keras.explanation.figures import comparison_figure, explanation_figure
from npr_keras.explanation.maps import GRID, Explanation, explain
from npr_keras.forensics.examine import examine
from npr_keras.packages import require
from npr_keras.report.charts import save
from npr_keras.scoring.files import expand
from npr_keras.verdict import Prediction, conclude


@dataclass(frozen=True)
class Inspection:
    """One image as closely as it can be looked at.

    Attributes:
        prediction: What is said of it.
        explanation: The maps.
    """

    prediction: Prediction
    explanation: Explanation


def inspect(
    predictor, source, protocol: Preprocessing | None = None, grid: int = GRID, name: str = ""
) -> Inspection:
    """One image to its prediction, its history and its maps.

    Args:
        predictor: A `KerasPredictor`: the layers are looked into.
        source: A path, the bytes of a file, or pixels, see `npr_keras.forensics.examine.examine`.
        protocol: How it becomes pixels; by default as the model makes them.
        grid: Regions a side.
        name: What to call it; by default its path.

    Raises:
        UnreadableImageError: If it cannot be read.
        ConfigError: If the detector has no map of where.
    """
    protocol = protocol or predictor.preprocessing
    image = examine(source, protocol)
    found = explain(predictor.detector, image.pixels, grid)
    name = name or (os.fspath(source) if isinstance(source, (str, os.PathLike)) else "(image)")
    return Inspection(conclude(predictor.profile, name, image, found.logit, protocol), found)


class Folder:
    """Where figures go.

    Args:
        out: The folder; made if it is not there.
        forms: "png", "svg", or both.
        arrays: Whether the maps are written too, as .npy files.
        inputs: Files that are not written over.

    Raises:
        MissingPackageError: If Matplotlib is not installed.
    """

    def __init__(
        self, out: str | os.PathLike, forms: Sequence[str], arrays: bool, inputs: Sequence[str]
    ):
        require("A figure", "matplotlib")
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.forms = dict.fromkeys(forms)
        self.arrays = arrays
        self._inputs = {os.path.realpath(path) for path in inputs}
        self._taken: set[str] = set()

    def explain(
        self, predictor, images, protocol: Preprocessing, grid: int, skipped: Skipped
    ) -> Iterator[tuple[Prediction, Path | None]]:
        """A figure for each image, folders included.

        Yields:
            What is said of each, and the figure; None, and an error, for one that cannot be read.
        """
        for name, path, error in expand(images, skipped):
            try:
                if error:
                    raise UnreadableImageError(error)
                found = inspect(predictor, path, protocol, grid, name)
            except UnreadableImageError as fault:
                yield Prediction(name, str(fault)), None
                continue
            title = f"{os.path.basename(path)}: {found.prediction.verdict or 'no verdict'}"
            lines = _figure_lines(found.prediction)
            drawing = explanation_figure(found.explanation, title, lines, _footer(predictor))
            target = self._free(f"{Path(path).stem}-explained")
            yield found.prediction, self._write(drawing, target, {target: found.explanation})

    def compare(self, predictor, images: Sequence[str], protocol: Preprocessing, grid: int) -> Path:
        """One figure of two images of one size, a real and a generated one.

        Raises:
            ConfigError: If they have different sizes.
            UnreadableImageError: If one cannot be read.
        """
        pixels = [load(path, protocol) for path in images]
        if pixels[0].shape != pixels[1].shape:
            sizes = " and ".join(f"{p.shape[1]} x {p.shape[0]}" for p in pixels)
            raise ConfigError(
                f"--compare takes images of one size. Received: {sizes}. --protocol resize256 makes "
                "them one, and changes their NPR maps."
            )
        found = [explain(predictor.detector, p, grid) for p in pixels]
        names = [Path(path).stem for path in images]
        drawing = comparison_figure(*found, [os.path.basename(path) for path in images])
        target = self.out / f"{names[0]}-compared-{names[1]}"
        maps = {self._free(f"{n}-compared"): one for n, one in zip(names, found, strict=True)}
        return self._write(drawing, target, maps)

    def _free(self, stem: str) -> Path:
        """Images of the same name in different folders get a number."""
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}-{number}", number + 1
        self._taken.add(name)
        return self.out / name

    def _write(self, drawing, path: Path, maps: dict[Path, Explanation]) -> Path:
        """The figure in each form, and the arrays; the last figure's path."""
        for form in self.forms:
            written = path.with_name(f"{path.name}.{form}")
            if os.path.realpath(written) in self._inputs:
                raise ConfigError(f"{written} is one of the images to explain. Give another --out.")
            save(drawing, written)
        for target, found in maps.items() if self.arrays else ():
            for kind in ("representation", "activation", "regions"):
                with (
                    replacing(target.with_name(f"{target.name}-{kind}.npy")) as temporary,
                    open(temporary, "wb") as file,
                ):
                    np.save(file, getattr(found, kind))
        return written


def _figure_lines(prediction: Prediction) -> list[str]:
    """What stands below a figure's title: the score and what it was of, and the reasons."""
    probability = prediction.probability
    shown = "below 0.001" if probability < 0.001 else f"{probability:.3f}"
    shown = "above 0.999" if probability > 0.999 else shown
    claims = prediction.history.claims if prediction.history else ()
    return [
        f"probability of being generated {shown}, logit {prediction.logit:+.2f}, "
        f"{prediction.pixels} pixels",
        *prediction.reasons,
        *(f"the file claims: {claim}" for claim in claims),
    ]


def _footer(predictor) -> str:
    """What made the figure: model, digest, version, date, and what everyone has to know of it."""
    name = predictor.path or "a detector in memory"
    digest = f", SHA-256 {predictor.identity[:12]}" if predictor.identity else ""
    made = f"{name}{digest}, npr-keras {__version__}, {datetime.date.today().isoformat()}"
    return f"{made}. {predictor.profile.notice}".rstrip(". ") + "."
