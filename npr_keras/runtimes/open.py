"""Whatever a user names as a model, as a predictor."""

from __future__ import annotations

import os

from npr_keras.client.address import is_address
from npr_keras.errors import CheckpointError
from npr_keras.presets import model_path
from npr_keras.runtimes.foreign import is_foreign, open_foreign
from npr_keras.runtimes.savedmodel import version_folder
from npr_keras.tables import FORMATS, load_code


def open_predictor(model: str | os.PathLike):
    """A predictor: `predict(images)`, `preprocessing`, `profile`, `identity`.

    Args:
        model: A `.keras` file or the folder of a run; a preset's name, see `npr_keras.presets`; what `npr-keras export` wrote: `.onnx`,
            OpenVINO's `.xml`, `.tflite`, or the folder of a SavedModel, of a version or above it;
            the address of a model on a server, such as `grpc://127.0.0.1:8500/npr`; or a detector
            that is not ours, see `npr_keras.runtimes.foreign.open_foreign`.

    Raises:
        CheckpointError: If there is no model there, or it cannot be read.
        MissingPackageError: If what runs it is not installed.

    Example:
        >>> predictor = open_predictor("saved_models/npr")
        >>> predictor.predict(np.zeros((2, 64, 64, 3), np.uint8)).shape
        (2,)
    """
    if is_address(model):
        from npr_keras.runtimes.remote import ServedPredictor

        return ServedPredictor(str(model))
    path = model_path(model)
    if is_foreign(path):
        return open_foreign(path)
    if not os.path.exists(path):
        raise CheckpointError(
            f"No model at {path}. Expected a run's folder, a SavedModel, or a file that ends in one "
            f"of {', '.join(row.ending for row in FORMATS.values() if row.ending)}; or a name that "
            "npr-keras models lists."
        )
    return load_code(FORMATS[format_of(path)].reads)(path)


def open_light_predictor(model: str | os.PathLike):
    """A predictor that needs NumPy alone, of a model that has one; else None."""
    if is_address(model) or is_foreign(model):
        return None
    path = model_path(model)
    if format_of(path) != "keras":
        return None
    from npr_keras.runtimes.light import open_light

    file = os.path.join(path, "model.keras") if os.path.isdir(path) else path
    return open_light(file) if os.path.isfile(file) else None


def format_of(model: str | os.PathLike) -> str:
    """The name of a model's format, by its ending, or by what is in its folder; keras for all else."""
    ending = os.path.splitext(os.fspath(model))[1].lower()
    if os.path.isdir(model):
        run = os.path.exists(os.path.join(model, "model.keras"))  # whatever was exported into it
        return "keras" if run or version_folder(model) is None else "savedmodel"
    return next((name for name, row in FORMATS.items() if ending and row.ending == ending), "keras")


def needs_keras(model: str | os.PathLike) -> bool:
    """Whether a model is one that Keras has to run."""
    return not is_address(model) and not is_foreign(model) and format_of(model) == "keras"


def needs_tensorflow(model: str | os.PathLike) -> bool:
    """Whether TensorFlow may run a model: Keras on it, or a SavedModel."""
    return not is_address(model) and FORMATS[format_of(model)].tensorflow


def require_keras_file(model: str | os.PathLike, why: str) -> None:
    """Raises CheckpointError for an exported model: before the work begins, not after it.

    Args:
        model: See `open_predictor`.
        why: What cannot be done with it, a clause.
    """
    if is_foreign(model):
        raise CheckpointError(
            f"{os.fspath(model)} is not one of our models, and {why}. Give a .keras file, or a run's "
            "folder."
        )
    if is_address(model) or (os.path.exists(model) and not needs_keras(model)):
        raise CheckpointError(
            f"{os.fspath(model)} is an exported model, and {why}. Give the .keras file that it was made "
            "from."
        )
