"""How far an image is from its reconstruction by a diffusion model: DIRE's map."""

from __future__ import annotations

import os

import keras
import numpy as np
from keras import ops

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.errors import CheckpointError, ConfigError
from npr_keras.layers.dct import _OfOneSize
from npr_keras.packages import import_needed


@keras.saving.register_keras_serializable(package="npr_keras")
class DiffusionError(_OfOneSize):
    """The absolute difference between an image and its DDIM inversion and sampling, in whole levels.

    Computed in memory. The released maps of the paper were files: JPEG for real images, PNG for
    generated ones, and detectors trained on them tell these formats apart.

    Args:
        side: Of the images, in pixels.
        pipeline: The folder of an unconditional diffusion model that `diffusers` reads, a
            `DDPMPipeline`, which the user brings. It stays where it is: a saved detector names it.
        steps: From the image to noise, and as many back.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, 3), from -1 to 1.

    Output shape:
        The same, normalised as ImageNet's images are.

    Raises:
        ConfigError: On another backend than torch, which the pipeline runs on.
        MissingPackageError: Without diffusers.

    Reference:
        Wang et al., "DIRE for diffusion-generated image detection", ICCV 2023.
    """

    def __init__(self, side=256, pipeline="", steps=20, **kwargs):
        super().__init__(side, **kwargs)
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ConfigError(f"`steps` must be a positive integer. Received: steps={steps!r}")
        self.pipeline = os.fspath(pipeline)
        self.steps = steps
        self.model = None  # from (x, t), a torch tensor (B, 3, H, W) and a step, to the noise in x
        self.alphas = np.empty(0)  # what is left of the image at each of the model's steps

    def bring(self, path: str | os.PathLike) -> None:
        """Takes the pipeline that the user brings: its folder."""
        if not os.path.isdir(path):
            raise CheckpointError(
                f"Expected the folder of a diffusers pipeline. Received: {os.fspath(path)}"
            )
        self.pipeline = os.path.abspath(path)

    def _opened(self):
        if keras.backend.backend() != "torch":
            raise ConfigError(
                "DIRE's diffusion model runs on PyTorch. Give --backend torch. "
                f"Received: {keras.backend.backend()}"
            )
        if self.model is None:
            import torch

            diffusers = import_needed("diffusers", "DIRE's diffusion model")
            if not self.pipeline:
                raise ConfigError("DIRE needs a diffusion model: give its folder by --weights DIR")
            pipe = diffusers.DDPMPipeline.from_pretrained(self.pipeline, local_files_only=True)
            network = pipe.unet.to("cuda" if torch.cuda.is_available() else "cpu").eval()
            self.model = lambda x, t: network(x, t).sample
            self.alphas = np.asarray(pipe.scheduler.alphas_cumprod, np.float64)
        return self.model

    def reconstruction(self, x):
        """To noise and back: (B, side, side, 3), from -1 to 1."""
        import torch

        model = self._opened()
        times = range(0, len(self.alphas), max(1, len(self.alphas) // self.steps))
        left = [float(self.alphas[t]) for t in times]
        x = torch.permute(x, (0, 3, 1, 2))
        with torch.no_grad():
            for t, now, then in zip(times, left, [*left[1:], 0.0], strict=True):
                x = _step(model, x, t, now, then)
            for t, now, then in reversed(list(zip(times, left, [1.0, *left[:-1]], strict=True))):
                x = _step(model, x, t, now, then)
        return torch.permute(x, (0, 2, 3, 1))

    def call(self, inputs):
        x = self._checked(inputs)
        error = ops.abs(x - self.reconstruction(x)) * 127.5
        error = ops.floor(ops.clip(error, 0, 255))
        mean, std = (ops.convert_to_tensor(v, x.dtype) for v in (IMAGENET_MEAN, IMAGENET_STD))
        return ops.cast((error / 255 - mean) / std, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "pipeline": self.pipeline, "steps": self.steps}


def _step(model, x, t, now, then):
    """From one share of the image to another, without noise of its own; see DDIM, Eq. 12."""
    noise = model(x, t)[:, :3]  # some models say their variance behind it
    image = ((x - (1 - now) ** 0.5 * noise) / now**0.5).clamp(-1, 1)
    noise = (x - now**0.5 * image) / (1 - now) ** 0.5
    return then**0.5 * image + (1 - then) ** 0.5 * noise
