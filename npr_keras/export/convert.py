"""A folded detector to each format's bytes on disk."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from npr_keras.errors import ExportError
from npr_keras.export.freeze import freeze
from npr_keras.predict.facts import KEY, Facts


def write_onnx(
    folded: keras.Model,
    path: str | os.PathLike,
    facts: Facts,
    representative: Sequence[np.ndarray] = (),
) -> None:
    """Writes an ONNX file: `pixels`, uint8 (batch, height, width, 3), to `logit`, (batch,).

    Args:
        folded: See `npr_keras.export.fold.fold`.
        path: The file.
        facts: Also say whether it is "int8" or "float32".
        representative: For int8: pictures, uint8 (1, H, W, 3), that the ranges are taken from.
    """
    import onnx

    model = _to_onnx(folded, facts.quantize, representative)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, facts.to_json()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, os.fspath(path))


def _to_onnx(folded: keras.Model, quantize: str, representative):
    import onnx
    import tf2onnx

    function, spec = _scoring(folded)
    model, _ = tf2onnx.convert.from_function(function, input_signature=[spec], opset=17)
    graph = model.graph
    _rename(graph, graph.output[0].name, "logit")
    for value, names in (
        (graph.input[0], ("batch", "height", "width")),
        (graph.output[0], ("batch",)),
    ):
        for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
            dimension.dim_param = name
    model = onnx.shape_inference.infer_shapes(model)
    if quantize == "int8":
        from npr_keras.export.quantize import quantize_onnx

        model = quantize_onnx(model, representative)
    return model


def _rename(graph, old: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]
    for value in graph.output:
        value.name = new if value.name == old else value.name


def write_openvino(
    folded: keras.Model,
    path: str | os.PathLike,
    facts: Facts,
    representative: Sequence[np.ndarray] = (),
) -> None:
    """Writes an OpenVINO model, `.xml` and `.bin`; arguments as of `write_onnx`.

    Weights are float32, or int8. For bf16 it is the runtime that computes in half precision.
    """
    import onnx
    import openvino

    between = _to_onnx(folded, facts.quantize, representative)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.onnx")
        onnx.save(between, file)
        # Not convert_model: that one reports to its makers.
        model = openvino.Core().read_model(file)
        model.set_rt_info(facts.to_json(), [KEY])
        openvino.save_model(model, os.fspath(path), compress_to_fp16=False)


def write_tflite(
    folded: keras.Model,
    path: str | os.PathLike,
    facts: Facts,
    representative: Sequence[np.ndarray] = (),
) -> None:
    """Writes a TFLite file; arguments as of `write_onnx`, and "float16" is one more."""
    function, _ = _scoring(folded)
    holder = tf.Module()
    holder.score = function
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], holder
    )
    int8 = facts.quantize == "int8"
    if facts.quantize != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if facts.quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the interpreter's new home, and of ranges for uint8
        data = _in_int8(converter, representative) if int8 else converter.convert()
    with open(path, "wb") as file:
        file.write(_with_metadata(data, facts.to_json()))


def _in_int8(converter, representative: Sequence[np.ndarray]) -> bytes:
    """The trunk in int8. What is behind it stays in floats: as one of 256 levels a logit would be
    cut off where those of the pictures at hand end."""
    if not len(representative):
        raise ExportError("int8 needs pictures to take its ranges from: --data DIR")
    converter.representative_dataset = lambda: ([picture] for picture in representative)
    behind = ["MEAN", "FULLY_CONNECTED", "RESHAPE"]
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=behind)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=options,
    )
    return debugger.get_nondebug_quantized_model()


def _scoring(folded: keras.Model):
    """`pixels` to `logit` as a TensorFlow function with the weights inside."""
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")
    frozen = freeze(folded)

    @tf.function(input_signature=[spec])
    def score(pixels):
        (logits,) = frozen(tf.cast(pixels, tf.float32))
        return {"logit": tf.reshape(logits, [-1])}

    return score, spec


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
