"""How well a decoder reconstructs an image, as a score: AEROBLADE's idea, without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npr_keras.config import PROTOCOLS
from npr_keras.errors import ConfigError
from npr_keras.profile import ModelProfile
from npr_keras.reconstruction.base import Decoder, open_decoder

_MIDDLE = 30.0  # dB: where the logit is 0, a number without meaning


class ReconstructionPredictor:
    """Ranks images by how well the best of some autoencoders reconstructs them.

    What an autoencoder has made lies near what it can make. The distance here is the mean squared
    error: the authors take LPIPS, on a network whose weights do not come with this package. So the
    figures are no reproduction, and only rankings have a meaning (AP, AUC): the logit is the PSNR in
    dB less 30.

    Args:
        decoders: Autoencoders, see `npr_keras.reconstruction.base.open_decoder`.
        name: What it is called.

    Reference:
        After Ricker, Lukovnikov, Fischer, "AEROBLADE: training-free detection of latent diffusion
        images using autoencoder reconstruction error", CVPR 2024.
    """

    preprocessing = PROTOCOLS["native"]

    def __init__(self, decoders: Sequence[Decoder], name: str):
        self.path = name
        self.decoders = decoders
        self.profile = ModelProfile(self.preprocessing)
        self.identity = "aeroblade " + " ".join(decoder.digest for decoder in decoders)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """uint8, (B, H, W, 3), to float32 logits, (B,)."""
        return np.array([self._logit(image) for image in np.asarray(images)], np.float32)

    def _logit(self, image: np.ndarray) -> float:
        return max(self._psnr(decoder, image) for decoder in self.decoders) - _MIDDLE

    def _psnr(self, decoder: Decoder, image: np.ndarray) -> float:
        """Of the largest part from the upper left corner that the decoder takes."""
        height, width = (n // decoder.multiple * decoder.multiple for n in image.shape[:2])
        if not height or not width:
            raise ConfigError(
                f"{self.path} takes images of at least {decoder.multiple} x {decoder.multiple} pixels. "
                f"Received: {image.shape[1]} x {image.shape[0]}"
            )
        part = np.ascontiguousarray(image[:height, :width])
        made = np.clip(decoder.reconstruct(part, np.random.default_rng(0)), 0, 255)
        error = float(np.mean((part.astype(np.float64) - made) ** 2))
        return float(10 * np.log10(255**2 / max(error, 1e-4)))


def open_aeroblade(text: str) -> ReconstructionPredictor:
    """From what stands behind `aeroblade=`: decoders with semicolons between them.

    Raises:
        ConfigError: If one is not there.
    """
    decoders = [open_decoder(one)[1] for one in text.split(";") if one]
    if not decoders:
        raise ConfigError(
            "aeroblade= takes autoencoders, such as aeroblade=taef2_encoder.pth,taef2_decoder.pth. See "
            "npr-keras data decoders."
        )
    return ReconstructionPredictor(decoders, f"aeroblade={text}")
