"""Nothing at all: a control."""

from __future__ import annotations

from npr_keras.reconstruction.base import Decoder


class Identity(Decoder):
    """The image itself. Whoever learns to tell its pairs apart has found a fault in their making."""

    def reconstruct(self, pixels, random, noise=0.0):
        return pixels
