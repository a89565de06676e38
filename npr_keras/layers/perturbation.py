"""A learned perturbation that hides what gives a generator away: FrePGAN's, after its description."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from npr_keras.layers.dct import _OfOneSize


@keras.saving.register_keras_serializable(package="npr_keras")
class FrequencyPerturbation(_OfOneSize):
    """The image and a perturbation that is made of its spectrum, for real and generated alike.

    The spectrum's real and imaginary parts go through a small encoder and decoder and back to pixels.
    A discriminator learns to tell images from perturbed ones, and what makes the perturbation learns
    to deceive it: in one step, the discriminator's gradient reversed. The classifier behind learns
    from what comes out and changes nothing here. No code was ever published: the layers, their
    widths and the weight of that loss are ours, the discriminator takes originals of both labels,
    and what is trained on this is no reproduction.

    Args:
        side: Of the images, in pixels, a multiple of 4.
        width: Channels of the first convolution.
        weight: Of the discriminator's loss.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, C).

    Output shape:
        The same.

    Reference:
        After the description of Jeong et al., "FrePGAN: robust deepfake detection using
        frequency-level perturbations", AAAI 2022.
    """

    def __init__(self, side=256, width=16, weight=0.1, **kwargs):
        super().__init__(side, **kwargs)
        self.width = width
        self.weight = weight

    def build(self, input_shape):
        width, channels = self.width, input_shape[-1]

        def conv(filters, strides=1, activation="leaky_relu"):
            return layers.Conv2D(
                filters, 3, strides, "same", activation=activation, data_format="channels_last"
            )

        def double():
            return layers.UpSampling2D(2, data_format="channels_last")

        self.generator = keras.Sequential(
            [
                conv(width),
                conv(2 * width, 2),
                conv(4 * width, 2),
                double(),
                conv(2 * width),
                double(),
                conv(width),
                conv(2 * channels, activation=None),
            ],
            name="generator",
        )
        self.discriminator = keras.Sequential(
            [
                conv(width, 2),
                conv(2 * width, 2),
                conv(4 * width, 2),
                layers.GlobalAveragePooling2D(data_format="channels_last"),
                layers.Dense(1),
            ],
            name="discriminator",
        )
        self.generator.build((None, self.side, self.side, 2 * channels))
        self.discriminator.build((None, self.side, self.side, channels))

    def perturbation(self, x):
        """In pixels, (B, side, side, C), from -1 to 1."""
        place = np.arange(self.side)
        angle = 2 * np.pi * (np.outer(place, place) % self.side) / self.side
        cos, sin = (
            ops.convert_to_tensor(f(angle) / np.sqrt(self.side), x.dtype) for f in (np.cos, np.sin)
        )

        def turned(real, imaginary, sign):
            """Along the rows' axis, then along the columns'."""
            for rule in ("ij,bjkc->bikc", "ij,bkjc->bkic"):
                real, imaginary = (
                    ops.einsum(rule, cos, real) + sign * ops.einsum(rule, sin, imaginary),
                    ops.einsum(rule, cos, imaginary) - sign * ops.einsum(rule, sin, real),
                )
            return real, imaginary

        spectrum = ops.concatenate(turned(x, ops.zeros_like(x), 1.0), axis=-1)
        real, imaginary = ops.split(self.generator(spectrum), 2, axis=-1)
        return ops.tanh(turned(real, imaginary, -1.0)[0])

    def call(self, inputs, training=None):
        x = self._checked(inputs)
        made = self.perturbation(x)
        if training:
            # Twice without its gradient, less itself: the same value, the gradient reversed.
            reversed_ = 2 * ops.stop_gradient(made) - made
            real, perturbed = self.discriminator(x), self.discriminator(x + reversed_)
            loss = ops.mean(ops.softplus(real)) + ops.mean(ops.softplus(-perturbed))
            self.add_loss(self.weight * loss)
        return ops.cast(x + ops.stop_gradient(made), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "width": self.width, "weight": self.weight}
