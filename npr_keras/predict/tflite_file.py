"""A TensorFlow Lite file as a predictor, by LiteRT."""

from __future__ import annotations

import os

import numpy as np

from npr_keras.data.arrays import as_batch
from npr_keras.errors import CheckpointError, MissingPackageError
from npr_keras.predict.facts import KEY, Exported, first_line, read_facts


class TFLitePredictor(Exported):
    """Scores images with LiteRT, as a phone would; neither Keras nor TensorFlow is needed.

    Args:
        path: A `.tflite` file that `npr-keras export` wrote.
    """

    def __init__(self, path: str | os.PathLike):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingPackageError(
                'TFLite files need pip install "npr-keras[litert]"'
            ) from error
        super().__init__(path, read_facts(_metadata(path), path))
        try:
            self._interpreter = Interpreter(os.fspath(path), num_threads=os.cpu_count())
        except ValueError as error:
            raise _broken(path, error) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,)."""
        images = as_batch(images)
        if images.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(images))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output).reshape(-1).copy()


def _metadata(path) -> str | None:
    """The text that the file holds under our name."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise CheckpointError(f"No model at {os.fspath(path)}: {error.strerror}") from error
    if data[4:8] != b"TFL3":
        raise CheckpointError(f"Cannot read the model {os.fspath(path)}: it is no TFLite file.")
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        for entry in model.metadata or ():
            if entry.name == KEY.encode():
                return bytes(model.buffers[entry.buffer].data).decode("utf-8")
    # flatbuffers reads wherever a broken offset points to.
    except Exception as error:
        raise _broken(path, error) from error
    return None


def _broken(path, error: Exception) -> CheckpointError:
    return CheckpointError(f"Cannot read the model {os.fspath(path)}: {first_line(error)}")
