"""An OpenVINO model as a predictor."""

from __future__ import annotations

import os

import numpy as np

from npr_keras.data.arrays import as_batch
from npr_keras.errors import CheckpointError, MissingPackageError
from npr_keras.predict.facts import KEY, Exported, read_facts


class OpenVINOPredictor(Exported):
    """Scores images with OpenVINO, on the CPU; neither Keras nor TensorFlow is needed.

    Args:
        path: An `.xml` file that `npr-keras export` wrote, its `.bin` beside it.
    """

    def __init__(self, path: str | os.PathLike):
        try:
            import openvino
        except ImportError as error:
            raise MissingPackageError(
                'OpenVINO models need pip install "npr-keras[openvino]"'
            ) from error
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

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,)."""
        images = as_batch(images)
        return np.array(self._model(images)["logit"], np.float32)
