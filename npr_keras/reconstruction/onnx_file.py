"""Networks in ONNX files: from image to image, or an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from npr_keras.errors import ConfigError
from npr_keras.packages import import_needed
from npr_keras.reconstruction.base import noisy
from npr_keras.reconstruction.network import NetworkDecoder, first_line


class OnnxDecoder(NetworkDecoder):
    """A network from images to images, or an encoder and a decoder, in ONNX.

    Args:
        files: One file, or the encoder's and the decoder's. Images are NCHW or NHWC, RGB.
    """

    takes = "float32, (1, 3, H, W) or (1, H, W, 3), any H and W, the encoder first"

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        runtime = import_needed("onnxruntime", "An ONNX decoder")
        try:
            self.sessions = [
                runtime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in files
            ]
        except Exception as error:  # whatever the runtime makes of a broken file
            raise ConfigError(
                f"{', '.join(files)}: cannot be read as ONNX: {first_line(error)}"
            ) from error
        self.has_latent = len(files) == 2
        self.channels_last = self.sessions[0].get_inputs()[0].shape[-1] == 3
        self.probe()

    def run(self, x, random, noise):
        x = x[None] if self.channels_last else x.transpose(2, 0, 1)[None]
        for i, session in enumerate(self.sessions):
            x = noisy(x, random, noise if i else 0.0)
            x = self._joined(session.run(None, {session.get_inputs()[0].name: x}))
        return x[0] if x.shape[-1] == 3 else x[0].transpose(1, 2, 0)

    def _joined(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Of several outputs, the first."""
        return outputs[0]


class VaeLight(OnnxDecoder):
    """A small decoder of Stable Diffusion 1's latents whose several images add up to one.

    Args:
        files: VAEencoder.onnx and VAEpreview.onnx, of Graphnull/VAElight (Apache-2.0).
    """

    def _joined(self, outputs):
        images = [one for one in outputs if one.shape[1] == 3]
        if not images:  # the latent
            return outputs[0]
        largest = max(one.shape[2] for one in images)
        return np.clip(sum(_enlarged(one, largest // one.shape[2]) for one in images), -1, 1)


def _enlarged(images: np.ndarray, factor: int) -> np.ndarray:
    """Bilinearly, (1, C, H, W), the corners of pixels kept."""
    if factor == 1:
        return images
    height, width = (factor * side for side in images.shape[2:])
    planes = [
        Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
        for plane in images[0]
    ]
    return np.stack([np.array(plane) for plane in planes])[None]
