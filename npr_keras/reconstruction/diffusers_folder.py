"""Autoencoders that diffusers reads: AutoencoderKL, AutoencoderTiny, VQModel."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import numpy as np

from npr_keras.errors import ConfigError
from npr_keras.packages import import_needed
from npr_keras.reconstruction.base import Decoder, noisy

_CLASSES = ("AutoencoderKL", "AutoencoderTiny", "VQModel")


class DiffusersDecoder(Decoder):
    """An autoencoder of the diffusers package, by PyTorch, without sampling.

    Args:
        files: Its folder, with config.json; nothing is downloaded.
    """

    has_latent = True

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        try:
            with open(os.path.join(files[0], "config.json"), encoding="utf-8") as file:
                name = json.load(file).get("_class_name")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{files[0]} is no folder of diffusers: {error}") from error
        if name not in _CLASSES:
            raise ConfigError(f"{files[0]}: expected {', '.join(_CLASSES)}. Received: {name}")
        diffusers = import_needed("diffusers", "An autoencoder of diffusers")
        self.model = (
            getattr(diffusers, name).from_pretrained(files[0], local_files_only=True).eval()
        )
        self.multiple = 2 ** (len(self.model.config.block_out_channels) - 1)

    def reconstruct(self, pixels, random, noise=0.0):
        import torch

        x = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        with torch.no_grad():
            found = self.model.encode(x)
            latent = found.latent_dist.mode() if hasattr(found, "latent_dist") else found[0]
            latent = torch.from_numpy(noisy(latent.numpy(), random, noise))
            made = self.model.decode(latent).sample[0].permute(1, 2, 0).numpy()
        return (made + 1) * 127.5
