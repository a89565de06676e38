"""What travels with an exported model, so that it can be scored with as its detector can."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.arrays import as_batch
from npr_keras.errors import CheckpointError, ConfigError, ExportError
from npr_keras.limits import TILE
from npr_keras.profile import ModelProfile
from npr_keras.runtimes.tiles import is_tiled, logits_in_tiles
from npr_keras.settings import MAPPING, TEXT, Config, Rule, field_of, is_int, required

LABELS = ("no trace", "generated")
UNCALIBRATED_LABEL = "uncalibrated"  # where no threshold holds for the pixels
_PROFILE = Rule(lambda v: isinstance(v, ModelProfile), "a ModelProfile")
_TWO_TEXTS = Rule(
    lambda v: isinstance(v, tuple) and len(v) == 2 and all(map(TEXT.fits, v)), "two texts"
)
_TILING = Rule(
    lambda v: (
        v is None
        or (
            (isinstance(v, tuple) and len(v) == 2 and all(map(is_int, v)))
            and 0 < v[0] <= TILE >= v[1] >= 0 == TILE % v[0] == v[1] % v[0]
        )
    ),
    "a stride and a halo in pixels, or None",
)
KEY = "npr_keras"  # what these facts are called inside a file


@dataclass(frozen=True)
class Facts(Config):
    """What an exported model says of itself.

    Args:
        name: The model's.
        format: What it was exported to.
        quantize: "float32" or what its arithmetic was reduced to.
        profile: What is known about it.
        source: SHA-256 of the `.keras` file that it was made from.
        versions: Of the packages that made it.
        tiling: Stride and halo in pixels of the tiles that large images can be scored in, see
            `npr_keras.models.reach`; None where they cannot.
        labels: What a logit at or below the threshold is called, and one above it; version 0.1 said
            "real" for the first.
    """

    name: str = required(TEXT)
    format: str = required(TEXT)
    quantize: str = required(TEXT)
    profile: ModelProfile = required(_PROFILE)
    source: str = required(TEXT)
    versions: dict = required(MAPPING)
    labels: tuple[str, str] = field_of(LABELS, _TWO_TEXTS)
    tiling: tuple[int, int] | None = field_of(None, _TILING)

    @classmethod
    def from_dict(cls, values):
        values = dict(values)
        if "profile" not in values:  # version 0.1 kept it flat
            names = ("preprocessing", "calibration", "robustness")
            values["profile"] = {name: values.pop(name) for name in names}
        values["profile"] = ModelProfile.from_dict(values["profile"])
        values["labels"] = tuple(values.get("labels", ("real", "generated")))
        return super().from_dict(values)

    def to_json(self) -> str:
        return json.dumps(self.to_dict())


@dataclass(frozen=True)
class Artefact:
    """What a format's `write` is given.

    Attributes:
        detector: The `Detector`.
        folded: The same, with what is linear in its convolutions, see `npr_keras.models.fold.fold`.
        facts: What is to be said of itself, `quantize` among it.
        pictures: For int8: uint8 (1, H, W, 3), that the ranges are taken from.
        beside: Files that travel along, such as the model card.
    """

    detector: Any
    folded: Any
    facts: Facts
    pictures: Sequence[np.ndarray] = ()
    beside: Sequence[Path] = ()

    def require_pictures(self) -> None:
        """Raises ExportError where int8 has nothing to take its ranges from."""
        if not len(self.pictures):
            raise ExportError("int8 needs pictures to take its ranges from: --data DIR")


def read_facts(text: str | None, path: str | os.PathLike) -> Facts:
    """The inverse of `Facts.to_json`.

    Raises:
        CheckpointError: If there is no text, or it does not say what it has to.
    """
    if not text:
        raise CheckpointError(
            f"{os.fspath(path)} does not say how its pixels are to be made. Expected a model that "
            "`npr-keras export` wrote."
        )
    try:
        return Facts.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        raise CheckpointError(
            f"{os.fspath(path)}: cannot read what it says of itself: {error}"
        ) from error


def first_line(error: Exception) -> str:
    """What an error says, on one line."""
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__


class Exported:
    """What predictors for exported models share.

    Args:
        path: The file, or the folder.
        facts: What it says of itself.

    Attributes:
        identity: SHA-256 of the files that it is made of.
    """

    def __init__(self, path: str | os.PathLike, facts: Facts):
        self.path = os.fspath(path)
        self.facts = facts
        digest = hashlib.sha256()
        for part in self._parts():
            with open(part, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        self.identity = digest.hexdigest()

    def _parts(self) -> list[str]:
        return [self.path]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,).

        Large ones in tiles, where the model says how.
        """
        images = as_batch(images)
        tiling = self.facts.tiling
        if tiling and is_tiled(images.shape, tiling):
            return logits_in_tiles(self._activation, images, tiling)
        return self._logits(images)

    def _logits(self, images: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _activation(self, image: np.ndarray) -> np.ndarray:
        """The map of one image, (1, h, w, 3), whose mean is its logit: (h', w')."""
        raise NotImplementedError

    @property
    def preprocessing(self) -> Preprocessing:
        """How image files become this predictor's input."""
        return self.facts.profile.preprocessing

    @property
    def profile(self) -> ModelProfile:
        """What is known about it."""
        return self.facts.profile
