"""ONNX files: written, and run by ONNX Runtime."""

from __future__ import annotations

import os

import numpy as np

from npr_keras.errors import CheckpointError
from npr_keras.packages import import_needed
from npr_keras.runtimes.exported import KEY, Artefact, Exported, read_facts


class ONNXPredictor(Exported):
    """Scores images with ONNX Runtime, on the CPU; neither Keras nor TensorFlow is needed.

    Args:
        path: A `.onnx` file that `npr-keras export` wrote.
    """

    def __init__(self, path: str | os.PathLike):
        onnxruntime = import_needed("onnxruntime", "An ONNX file")
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime raises classes of its own for what its parser meets.
        except Exception as error:
            raise CheckpointError(f"Cannot read the model {os.fspath(path)}: {error}") from error
        known = self._session.get_modelmeta().custom_metadata_map
        super().__init__(path, read_facts(known.get(KEY), path))

    def _logits(self, images: np.ndarray) -> np.ndarray:
        return self._session.run(["logit"], {"pixels": images})[0]

    def _activation(self, image: np.ndarray) -> np.ndarray:
        return self._session.run(["activation"], {"pixels": image})[0][0]


def write(artefact: Artefact, path: str | os.PathLike) -> None:
    """Writes an ONNX file: `pixels`, uint8 (batch, height, width, 3), to `logit`, (batch,).

    Where it can be run in tiles, to `activation` too, (batch, rows, columns): its mean is the logit.
    """
    import onnx

    model = to_onnx(artefact)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, artefact.facts.to_json()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, os.fspath(path))


def to_onnx(artefact: Artefact):
    """An artefact as an ONNX model in memory."""
    import onnx
    import tf2onnx

    from npr_keras.runtimes.freeze import scoring_function

    function, spec = scoring_function(artefact)
    model, _ = tf2onnx.convert.from_function(function, input_signature=[spec], opset=17)
    graph = model.graph
    # As TensorFlow orders a function's outputs.
    names = sorted(function.get_concrete_function().structured_outputs)
    for value, name in zip(list(graph.output), names, strict=True):
        _rename(graph, value.name, name)
    dimensions = {
        "pixels": ("batch", "height", "width"),
        "logit": ("batch",),
        "activation": ("batch", "rows", "columns"),
    }
    for value in (graph.input[0], *graph.output):
        shape = value.type.tensor_type.shape.dim
        for dimension, name in zip(shape, dimensions[value.name], strict=False):
            dimension.dim_param = name
    model = onnx.shape_inference.infer_shapes(model)
    if artefact.facts.quantize == "int8":
        from npr_keras.runtimes.onnx_int8 import quantize_onnx

        artefact.require_pictures()
        model = quantize_onnx(model, artefact.pictures)
    return model


def _rename(graph, old: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]
    for value in graph.output:
        value.name = new if value.name == old else value.name
