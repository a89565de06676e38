"""TensorFlow Lite files: written, and run by LiteRT."""

from __future__ import annotations

import os
import warnings

import numpy as np

from npr_keras.errors import CheckpointError
from npr_keras.packages import import_needed
from npr_keras.runtimes.exported import KEY, Artefact, Exported, first_line, read_facts


class TFLitePredictor(Exported):
    """Scores images with LiteRT, as a phone would; neither Keras nor TensorFlow is needed.

    Args:
        path: A `.tflite` file that `npr-keras export` wrote.
    """

    def __init__(self, path: str | os.PathLike):
        litert = import_needed("ai_edge_litert.interpreter", "A TFLite file")
        super().__init__(path, read_facts(_metadata(path), path))
        try:
            self._interpreter = litert.Interpreter(os.fspath(path), num_threads=os.cpu_count())
        except ValueError as error:
            raise _broken(path, error) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        # By their dimensions: names do not survive the conversion.
        outputs = self._interpreter.get_output_details()
        self._outputs = {len(one["shape_signature"]): one["index"] for one in outputs}
        self._shape: tuple[int, ...] = ()

    def _logits(self, images: np.ndarray) -> np.ndarray:
        return self._run(images, 1)

    def _activation(self, image: np.ndarray) -> np.ndarray:
        return self._run(image, 3)[0]

    def _run(self, images: np.ndarray, dimensions: int) -> np.ndarray:
        """The output with so many dimensions: logits, (B,), or maps, (B, h', w')."""
        if images.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(images))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._outputs[dimensions]).copy()


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


def write(artefact: Artefact, path: str | os.PathLike) -> None:
    """Writes a TFLite file."""
    import tensorflow as tf

    from npr_keras.runtimes.freeze import scoring_function

    function, _ = scoring_function(artefact)
    holder = tf.Module()
    holder.score = function
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], holder
    )
    quantize = artefact.facts.quantize
    if quantize != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the interpreter's new home, and of ranges for uint8
        data = _in_int8(converter, artefact) if quantize == "int8" else converter.convert()
    with open(path, "wb") as file:
        file.write(_with_metadata(data, artefact.facts.to_json()))


def _in_int8(converter, artefact: Artefact) -> bytes:
    """The trunk in int8. What is behind it stays in floats: as one of 256 levels a logit would be
    cut off where those of the pictures at hand end."""
    import tensorflow as tf

    artefact.require_pictures()
    converter.representative_dataset = lambda: ([picture] for picture in artefact.pictures)
    behind = ["MEAN", "FULLY_CONNECTED", "RESHAPE"]
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=behind)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=options,
    )
    return debugger.get_nondebug_quantized_model()


def _with_metadata(data: bytes, text: str) -> bytes:
    """A TFLite file with a text in it, under our name."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(text.encode("utf-8"), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or ()), entry]
    builder = flatbuffers.Builder(len(data) + len(text) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
