"""Detectors that have names: what comes with the package, and what can be fetched. Light."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from npr_keras.cache import cache_folder
from npr_keras.errors import CheckpointError, ConfigError

VARIABLE = "NPR_MODEL"  # names the model that is meant where none is
_SHIPPED = "npr_keras_presets"  # the package that saved_models/ is installed as


@dataclass(frozen=True)
class Preset:
    """A detector that has a name.

    Attributes:
        name: What `--model` takes.
        title: What tables call it.
        licence: Its weights'.
        trained_on: In a few words.
        file: Of the package, where it comes with it; else "".
        address: Of the official checkpoint, where it can be fetched; else "".
        sha256: The file's, or the checkpoint's; "" where only `git_blob` is known.
        git_blob: The digest that git gives the checkpoint; "" where `sha256` is known.
        method: Of `npr_keras.detectors.DETECTORS`, whose checkpoint it is.
    """

    name: str
    title: str
    licence: str
    trained_on: str
    file: str = ""
    address: str = ""
    sha256: str = ""
    git_blob: str = ""
    method: str = ""

    @property
    def path(self) -> Path:
        """Where it is, or will be once it was fetched."""
        if self.file:
            return shipped(self.file)
        return cache_folder() / "models" / f"{self.name}.keras"

    @property
    def digest_file(self) -> Path:
        """Where the SHA-256 of a converted file is kept, beside it."""
        return self.path.with_suffix(".sha256")

    def is_whole(self) -> bool:
        """Whether the file that is here is the one that is meant, or was made of that."""
        content = self.path.read_bytes()
        if self.file:
            return self.fits(content)
        known = self.digest_file
        return known.exists() and known.read_text().strip() == hashlib.sha256(content).hexdigest()

    def fits(self, content: bytes) -> bool:
        """Whether a file's content is the one that is meant."""
        if self.sha256:
            return hashlib.sha256(content).hexdigest() == self.sha256
        head = f"blob {len(content)}\0".encode()
        return hashlib.sha1(head + content, usedforsecurity=False).hexdigest() == self.git_blob


@functools.cache
def presets() -> Mapping[str, Preset]:
    """All of them by name; those that come with the package first."""
    text = importlib.resources.files("npr_keras").joinpath("presets.toml").read_text("utf-8")
    return {name: Preset(name, **row) for name, row in tomllib.loads(text).items()}


def get_preset(name: str) -> Preset:
    """The preset of that name; raises ConfigError, with the known names, where there is none."""
    if name not in presets():
        raise ConfigError(f"Unknown preset. Known: {', '.join(presets())}. Received: {name!r}")
    return presets()[name]


def default_model() -> str:
    """What is meant where no model is named: NPR_MODEL, or the first that comes with the package."""
    return os.environ.get(VARIABLE) or next((p.name for p in presets().values() if p.file), "")


def model_path(model: str | os.PathLike) -> str:
    """A path, or where the preset of that name lies.

    Args:
        model: A file or folder that is there goes first; then a preset's name.

    Raises:
        CheckpointError: If the preset was not fetched yet.
    """
    text = os.fspath(model)
    if os.path.exists(text) or text not in presets():
        return text
    preset = presets()[text]
    if not preset.path.exists():
        raise CheckpointError(
            f"The preset {text} is not here yet. Fetch it with: npr-keras models download {text}"
        )
    return str(preset.path)


def shipped(name: str) -> Path:
    """A file that comes with the package."""
    return Path(str(importlib.resources.files(_SHIPPED))) / name
