"""The TAESD family: tiny autoencoders of the latents of Stable Diffusion, FLUX and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import layers, ops

from npr_keras.errors import ConfigError
from npr_keras.models.official import from_pytorch_axes
from npr_keras.models.pth import load_pth
from npr_keras.reconstruction.base import Decoder, noisy


class Taesd(Decoder):
    """Stacks of 3 x 3 convolutions and residual blocks, nearest-neighbour doublings between.

    Args:
        files: The published state dicts of the encoder and of the decoder (.pth).

    Reference:
        The layout of madebyollin/taesd's state dicts (MIT): TAESD, TAESDXL, TAESD3, TAEF1, TAEF2,
        TAESANA.
    """

    has_latent = True

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        encoder, decoder = (load_pth(file) for file in files)
        try:
            self.encoder = _stack(encoder, 3, halves=True, what=files[0])
            latent = self.encoder.output.shape[-1]
            self.decoder = _stack(decoder, latent, halves=False, what=files[1])
        except ConfigError:
            raise
        except ValueError as error:  # of shapes that do not follow one another
            raise ConfigError(
                f"{files[0]} and {files[1]} do not make an autoencoder. Expected the encoder's state dict "
                "first, then the decoder's."
            ) from error
        halvings = sum(isinstance(layer, layers.ZeroPadding2D) for layer in self.encoder.layers)
        self.multiple = 2**halvings

    def reconstruct(self, pixels, random, noise=0.0):
        latent = np.asarray(self.encoder.predict_on_batch(pixels[None].astype(np.float32) / 255))
        made = self.decoder.predict_on_batch(noisy(latent, random, noise))
        return np.asarray(made)[0] * 255


def _stack(state: Mapping[str, np.ndarray], channels: int, halves: bool, what: str) -> keras.Model:
    """A state dict's layers, one behind the other; what has no weights is known by its place."""
    places = {key.partition(".")[0] for key in state}
    if not places or not all(place.isdigit() for place in places):
        raise ConfigError(f"{what} is no state dict of the TAESD family.")
    inputs = x = keras.Input((None, None, channels))
    for i in range(max(map(int, places)) + 1):
        if f"{i}.weight" in state:
            x = _conv(x, state, f"{i}", 2 if halves and f"{i}.bias" not in state else 1)
        elif str(i) in places:
            x = _block(x, state, f"{i}")
        elif i == 0:
            x = ops.tanh(x / 3) * 3
        elif i == 2:
            x = ops.relu(x)
        else:
            x = layers.UpSampling2D(2, "channels_last")(x)
    return keras.Model(inputs, x)


def _conv(x, state, name, strides=1):
    weight = state[f"{name}.weight"]
    side = weight.shape[-1]
    if strides == 2:  # PyTorch pads both sides alike
        x = layers.ZeroPadding2D(1, data_format="channels_last")(x)
    layer = layers.Conv2D(
        weight.shape[0],
        side,
        strides,
        padding="valid" if strides == 2 else "same",
        use_bias=f"{name}.bias" in state,
        data_format="channels_last",
    )
    y = layer(x)
    kernel = from_pytorch_axes(np.asarray(weight, np.float32), "conv", layer.kernel.shape)
    layer.set_weights([kernel, *([state[f"{name}.bias"]] if layer.use_bias else [])])
    return y


def _block(x, state, name):
    """Three convolutions beside the identity; before them, in the newer ones, a pooled branch."""
    if f"{name}.pool.0.weight" in state:
        y = _conv(x, state, f"{name}.pool.0")
        norm = layers.GroupNormalization(4, axis=-1, epsilon=1e-5)
        y = norm(y)
        norm.set_weights([state[f"{name}.pool.1.{which}"] for which in ("weight", "bias")])
        x = x + _conv(ops.relu(y), state, f"{name}.pool.3")
    y = ops.relu(_conv(x, state, f"{name}.conv.0"))
    y = ops.relu(_conv(y, state, f"{name}.conv.2"))
    y = _conv(y, state, f"{name}.conv.4")
    skip = _conv(x, state, f"{name}.skip") if f"{name}.skip.weight" in state else x
    return ops.relu(y + skip)
