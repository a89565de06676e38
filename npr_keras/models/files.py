"""Detectors to and from `.keras` files."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import zipfile

import keras

from npr_keras.atomic import replacing
from npr_keras.errors import CheckpointError
from npr_keras.limits import require_sane_archive
from npr_keras.models.detector import Detector
from npr_keras.presets import model_path, presets

MODEL_FILE = "model.keras"


def save_detector(detector: Detector, path: str | os.PathLike, optimizer: bool = False) -> None:
    """Writes a `.keras` file, atomically.

    Args:
        detector: What to save.
        path: Where to, ending in `.keras`.
        optimizer: Whether its optimizer's state goes in too (three times the size).

    Example:
        >>> save_detector(Detector(ResNet(blocks=(1,), width=8)), "small.keras")
    """
    _require_ending(path)
    if detector.compiled and not optimizer:
        # Keras writes the optimizer of whatever is compiled.
        bare = Detector.from_config(detector.get_config())
        bare.set_weights(detector.get_weights())
        detector = bare
    with replacing(path) as temporary:
        detector.save(temporary)


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a `.keras` file, or of the one in a folder."""
    with open(model_file(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_file(path: str | os.PathLike) -> str:
    """The `.keras` file that is meant by a path: itself, or the one in a folder."""
    path = os.fspath(path)
    return os.path.join(path, MODEL_FILE) if os.path.isdir(path) else path


def load_detector(path: str | os.PathLike, compile: bool = False) -> Detector:
    """Reads a detector that any backend saved.

    Args:
        path: A `.keras` file, a folder that holds `model.keras`, or a preset's name.
        compile: Whether to restore the optimizer too.

    Raises:
        CheckpointError: If there is no such file, it is broken, or holds another kind of model.

    Example:
        >>> load_detector("saved_models/npr").preprocessing.name
        'resize256'
    """
    path = model_file(model_path(path))
    if not os.path.isfile(path):
        raise CheckpointError(
            f"No model at {path}. Expected a .keras file, or a folder with {MODEL_FILE} in it."
        )
    _require_ending(path)
    try:
        require_sane_archive(path)
        model = keras.saving.load_model(path, compile=compile)
    # Keras raises whatever its parsers of zip, JSON and HDF5 meet.
    except Exception as error:
        whole = "" if zipfile.is_zipfile(path) else " (it is no zip archive: truncated?)"
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"Cannot read the model {path}{whole}: {reason}") from error
    if not isinstance(model, Detector):
        raise CheckpointError(
            f"{path} holds a {type(model).__name__}, not an npr_keras Detector, so how its pixels "
            "are to be made is not known."
        )
    return model


def store_in_profile(model: str | os.PathLike, **fields) -> None:
    """Writes settings of a detector into its `.keras` file, atomically; weights stay as they are.

    Args:
        model: The file, or the folder that holds it.
        fields: Fields of `ModelProfile`, such as `calibration` and `robustness`.
    """
    model = require_own(model)
    detector = load_detector(model)
    profile = dataclasses.replace(detector.profile, **fields)
    if profile == detector.profile:  # the same again: the file stays the one that was exported
        return
    detector.profile = profile
    save_detector(detector, model_file(model))


def require_own(model: str | os.PathLike) -> str:
    """A model's path, where its file may be changed.

    Raises:
        CheckpointError: If it is the one that comes with this package.
    """
    path = model_path(model)
    for preset in presets().values():
        if preset.file and os.path.realpath(path) == os.path.realpath(preset.path):
            raise CheckpointError(
                f"{preset.name} comes with this package, and stays as it is. Copy {preset.path} to a file "
                "of your own, and name that."
            )
    return path


def _require_ending(path):
    if not os.fspath(path).endswith(".keras"):
        raise CheckpointError(
            f"A model file's name ends in .keras. Received: {os.fspath(path)}. "
            "HDF5 files (.h5) do not hold what a detector is rebuilt from. An official .pth checkpoint becomes one by `npr-keras convert`; an exported model "
            "(.onnx, .tflite, .xml, a version's folder) does not become one again."
        )
