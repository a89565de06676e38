"""Networks in ONNX files: from image to image, or an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from npr_keras.errors import ConfigError
from npr_keras.packages import import_needed
from npr_keras.reconstruction.base import Decoder, noisy

# Grey levels from 0 to 255 become `level / scale - shift`.
_RANGES = {"0 to 1": (255.0, 0.0), "-1 to 1": (127.5, 1.0), "0 to 255": (1.0, 0.0)}
_PROBE = 64  # pixels


class OnnxDecoder(Decoder):
    """A network from images to images, or an encoder and a decoder, in ONNX.

    What makes images larger is given smaller ones (Pillow's bicubic filter, as super-resolution
    networks are trained), so that what comes out has the photograph's size. Which numbers stand for
    black and white is found out: the range that reconstructs a smooth probe best.

    Args:
        files: One file, or the encoder's and the decoder's. Images are NCHW or NHWC, RGB.

    Attributes:
        factor: How many times larger its images are.
        range: What its numbers range over, a key of `_RANGES`.
    """

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        runtime = import_needed("onnxruntime", "An ONNX decoder")
        self.files = files
        try:
            self.sessions = [
                runtime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in files
            ]
        except Exception as error:  # whatever the runtime makes of a broken file
            raise ConfigError(
                f"{', '.join(files)}: cannot be read as ONNX: {_line(error)}"
            ) from error
        self.has_latent = len(files) == 2
        self.channels_last = self.sessions[0].get_inputs()[0].shape[-1] == 3
        self.factor, self.range = self._found()

    def _found(self) -> tuple[int, str]:
        """Its factor and its range, from what it makes of a slope of colours."""
        ramp = np.linspace(40, 215, _PROBE)
        probe = np.stack([np.add.outer(ramp, ramp * k) / (1 + k) for k in (0.2, 1, 5)], -1)
        found = []
        for name in _RANGES:
            try:
                made = self._run(probe.astype(np.float32), name, np.random.default_rng(0), 0.0)
            except Exception as error:  # whatever the runtime makes of an input that does not fit
                raise ConfigError(
                    f"{', '.join(self.files)}: does not take images of {_PROBE} x {_PROBE} pixels. "
                    "Expected float32, (1, 3, H, W) or (1, H, W, 3), any H and W, the encoder first. "
                    f"Received: {_line(error)}"
                ) from error
            factor, rest = divmod(made.shape[0], _PROBE)
            if rest or made.shape[:2] != (made.shape[0],) * 2 or factor < 1:
                raise ConfigError(
                    f"A decoder has to make images as large as they were, or 2, 3, 4, ... times larger. "
                    f"Received: {made.shape[1]} x {made.shape[0]} of {_PROBE} x {_PROBE}"
                )
            seen = np.asarray(made[::factor, ::factor], np.float64)
            found.append((float(np.mean((seen - probe) ** 2)), factor, name))
        apart, factor, name = min(found)
        if not apart < 40**2:
            raise ConfigError(
                f"{', '.join(self.files)}: what comes out is not the image that went in "
                f"(apart by {apart**0.5:.0f} grey levels). Expected a network from RGB images to such."
            )
        self.multiple = 8 * factor
        return factor, name

    def _run(self, pixels: np.ndarray, range_name: str, random, noise: float) -> np.ndarray:
        """(H, W, 3), 0 to 255, through the networks."""
        scale, shift = _RANGES[range_name]
        x = (pixels / scale - shift).astype(np.float32)[None]
        x = x if self.channels_last else x.transpose(0, 3, 1, 2)
        for i, session in enumerate(self.sessions):
            x = noisy(x, random, noise if i else 0.0)
            x = self._joined(session.run(None, {session.get_inputs()[0].name: x}))
        x = x[0] if x.shape[-1] == 3 else x[0].transpose(1, 2, 0)
        return (x + shift) * scale

    def _joined(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Of several outputs, the first."""
        return outputs[0]

    def reconstruct(self, pixels, random, noise=0.0):
        given = pixels
        if self.factor > 1:
            height, width = (side // self.factor for side in pixels.shape[:2])
            small = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
            given = np.array(small)
        return self._run(given.astype(np.float32), self.range, random, noise)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


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
