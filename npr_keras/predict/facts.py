"""What travels with an exported model, so that it can be scored with as its detector can."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

from npr_keras.config import Preprocessing
from npr_keras.errors import CheckpointError, ConfigError
from npr_keras.profile import ModelProfile
from npr_keras.settings import Config

LABELS = ("no trace", "generated")
UNCALIBRATED_LABEL = "uncalibrated"  # where no threshold holds for the pixels
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
        labels: What a logit at or below the threshold is called, and one above it; version 0.1 said
            "real" for the first.
    """

    name: str
    format: str
    quantize: str
    profile: ModelProfile
    source: str
    versions: dict
    labels: tuple[str, str] = LABELS

    def __post_init__(self):
        for name in ("name", "format", "quantize", "source"):
            self._require(isinstance(getattr(self, name), str), name, "a text")
        self._require(isinstance(self.versions, dict), "versions", "a dict")
        texts = all(isinstance(label, str) for label in self.labels)
        self._require(len(self.labels) == 2 and texts, "labels", "two texts")

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

    @property
    def preprocessing(self) -> Preprocessing:
        """How image files become this predictor's input."""
        return self.facts.profile.preprocessing

    @property
    def profile(self) -> ModelProfile:
        """What is known about it."""
        return self.facts.profile
