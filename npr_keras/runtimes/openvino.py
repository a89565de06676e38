"""OpenVINO models: written, and run."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from npr_keras.errors import CheckpointError
from npr_keras.packages import import_needed
from npr_keras.runtimes.exported import KEY, Artefact, Exported, read_facts
from npr_keras.runtimes.onnx import to_onnx


class OpenVINOPredictor(Exported):
    """Scores images with OpenVINO, on the CPU; neither Keras nor TensorFlow is needed.

    Args:
        path: An `.xml` file that `npr-keras export` wrote, its `.bin` beside it.
    """

    def __init__(self, path: str | os.PathLike):
        openvino = import_needed("openvino", "An OpenVINO model")
        core = openvino.Core()
        try:
            model = core.read_model(os.fspath(path))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise CheckpointError(f"Cannot read the model {os.fspath(path)}: {reason}") from error
        text = model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else None
        facts = read_facts(text, path)
        # Left to itself, OpenVINO takes half precision wherever the processor has it.
        precision = "bf16" if facts.quantize == "bf16" else "f32"
        self._model = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
        super().__init__(path, facts)

    def _parts(self) -> list[str]:
        return [self.path, os.path.splitext(self.path)[0] + ".bin"]

    def _logits(self, images: np.ndarray) -> np.ndarray:
        return np.array(self._model(images)["logit"], np.float32)

    def _activation(self, image: np.ndarray) -> np.ndarray:
        return np.array(self._model(image)["activation"][0], np.float32)


def write(artefact: Artefact, path: str | os.PathLike) -> None:
    """Writes an OpenVINO model, `.xml` and `.bin`.

    Weights are float32, or int8. For bf16 it is the runtime that computes in half precision.
    """
    import onnx
    import openvino

    between = to_onnx(artefact)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.onnx")
        onnx.save(between, file)
        # Not convert_model: that one reports to its makers.
        model = openvino.Core().read_model(file)
        model.set_rt_info(artefact.facts.to_json(), [KEY])
        openvino.save_model(model, os.fspath(path), compress_to_fp16=False)
