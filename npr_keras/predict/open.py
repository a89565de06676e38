"""Whatever a user names as a model, as a predictor."""

from __future__ import annotations

import os

from npr_keras.errors import CheckpointError
from npr_keras.serving.address import is_address

_ENDINGS = (".keras", ".onnx", ".xml", ".tflite")


def open_predictor(model: str | os.PathLike):
    """A predictor: `predict(images)`, `preprocessing`, `profile`, `identity`.

    Args:
        model: A `.keras` file or the folder of a run; what `npr-keras export` wrote: `.onnx`,
            OpenVINO's `.xml`, `.tflite`, or the folder of a SavedModel, of a version or above it;
            or the address of a model on a server, such as `grpc://127.0.0.1:8500/npr`.

    Raises:
        CheckpointError: If there is no model there, or it cannot be read.
        MissingPackageError: If what runs it is not installed.
    """
    if is_address(model):
        from npr_keras.predict.served import ServedPredictor

        return ServedPredictor(str(model))
    path = os.fspath(model)
    ending = os.path.splitext(path)[1].lower()
    if not os.path.exists(path):
        raise CheckpointError(
            f"No model at {path}. Expected a run's folder, a SavedModel, or a file that ends in one "
            f"of {', '.join(_ENDINGS)}."
        )
    if needs_keras(path):
        from npr_keras.predict.keras_file import KerasPredictor

        return KerasPredictor(path)
    if ending == ".onnx":
        from npr_keras.predict.onnx_file import ONNXPredictor

        return ONNXPredictor(path)
    if ending == ".xml":
        from npr_keras.predict.openvino_file import OpenVINOPredictor

        return OpenVINOPredictor(path)
    if ending == ".tflite":
        from npr_keras.predict.tflite_file import TFLitePredictor

        return TFLitePredictor(path)
    from npr_keras.predict.savedmodel import SavedModelPredictor

    return SavedModelPredictor(path)


def needs_keras(model: str | os.PathLike) -> bool:
    """Whether a model is one that Keras has to run."""
    if is_address(model):
        return False
    if os.path.isdir(model):
        if os.path.exists(os.path.join(model, "model.keras")):
            return True  # a run's folder, whatever was exported into it
        from npr_keras.predict.savedmodel import version_folder

        return version_folder(model) is None
    return os.path.splitext(os.fspath(model))[1].lower() not in _ENDINGS[1:]


def needs_tensorflow(model: str | os.PathLike) -> bool:
    """Whether TensorFlow may run a model: Keras on it, or a SavedModel."""
    if is_address(model):
        return False
    return os.path.splitext(os.fspath(model))[1].lower() not in _ENDINGS[1:]


def require_keras_file(model: str | os.PathLike, why: str) -> None:
    """Raises CheckpointError for an exported model: before the work begins, not after it.

    Args:
        model: See `open_predictor`.
        why: What cannot be done with it, a clause.
    """
    if is_address(model) or (os.path.exists(model) and not needs_keras(model)):
        raise CheckpointError(
            f"{os.fspath(model)} is an exported model, and {why}. Give the .keras file that it was made "
            "from."
        )
