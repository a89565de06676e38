"""A folded detector to each format's bytes on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from npr_keras.errors import ExportError, MissingPackageError
from npr_keras.export.freeze import freeze
from npr_keras.predict.facts import KEY, Facts


def write_onnx(folded: keras.Model, path: str | os.PathLike, facts: Facts) -> None:
    """Writes an ONNX file: `pixels`, uint8 (batch, height, width, 3), to `logit`, (batch,)."""
    import onnx

    model = _to_onnx(folded)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, facts.to_json()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, os.fspath(path))


def _to_onnx(folded: keras.Model):
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise MissingPackageError(
            'Exporting to ONNX needs more packages: pip install "npr-keras[onnx]"'
        ) from error
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
    return onnx.shape_inference.infer_shapes(model)


def _rename(graph, old: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]
    for value in graph.output:
        value.name = new if value.name == old else value.name


def write_openvino(folded: keras.Model, path: str | os.PathLike, facts: Facts) -> None:
    """Writes an OpenVINO model, `.xml` and `.bin`, weights in float32."""
    try:
        import openvino
    except ImportError as error:
        raise MissingPackageError(
            'Exporting to OpenVINO needs more packages: pip install "npr-keras[openvino]"'
        ) from error
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        import onnx

        between = os.path.join(folder, "model.onnx")
        onnx.save(_to_onnx(folded), between)
        # Not convert_model: that one reports to its makers.
        model = openvino.Core().read_model(between)
        model.set_rt_info(facts.to_json(), [KEY])
        openvino.save_model(model, os.fspath(path), compress_to_fp16=False)


def write_tflite(
    folded: keras.Model,
    path: str | os.PathLike,
    facts: Facts,
    representative: Sequence[np.ndarray] = (),
) -> None:
    """Writes a TFLite file: `pixels`, uint8 (batch, height, width, 3), to `logit`, (batch,).

    Args:
        folded: See `npr_keras.export.fold.fold`.
        path: The file.
        facts: Also say whether it is "float16", "int8" or "float32".
        representative: For int8: pictures, uint8 (1, H, W, 3), that the ranges are taken from.
    """
    function, _ = _scoring(folded)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    if facts.quantize != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if facts.quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if facts.quantize == "int8":
        if not len(representative):
            raise ExportError("int8 needs pictures to take its ranges from: --data DIR")
        converter.representative_dataset = lambda: _one_by_one(representative)
    data = converter.convert()
    with open(path, "wb") as file:
        file.write(_with_metadata(data, facts.to_json()))


def _one_by_one(pictures: Iterable[np.ndarray]):
    for picture in pictures:
        yield [picture]


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
