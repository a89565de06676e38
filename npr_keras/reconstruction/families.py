"""The last stages of real architectures, at small widths, for decoders that the tool trains itself."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers, ops

from npr_keras.simulation.generator import SubPixel

WIDTH = 32
_LAST = {"data_format": "channels_last"}


@keras.saving.register_keras_serializable(package="npr_keras")
class PixelNorm(layers.Layer):
    """Each position's features over their root mean square (Karras et al., ICLR 2018)."""

    def call(self, inputs):
        return inputs * ops.rsqrt(ops.mean(ops.square(inputs), axis=-1, keepdims=True) + 1e-8)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="npr_keras")
class Quantise(layers.Layer):
    """Each position's features become the nearest of a codebook's; the gradient passes by.

    Args:
        size: Of the codebook.
        **kwargs: The arguments every Keras layer takes.

    Reference:
        van den Oord et al., "Neural discrete representation learning", NeurIPS 2017.
    """

    def __init__(self, size=256, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, input_shape):
        self.codes = self.add_weight(
            name="codes", shape=(self.size, input_shape[-1]), initializer="random_normal"
        )

    def call(self, inputs):
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        distance = ops.sum(ops.square(self.codes), -1) - 2 * ops.matmul(
            flat, ops.transpose(self.codes)
        )
        found = ops.take(self.codes, ops.argmin(distance, axis=-1), axis=0)
        found = ops.reshape(found, ops.shape(inputs))
        self.add_loss(
            ops.mean(ops.square(ops.stop_gradient(inputs) - found))
            + 0.25 * ops.mean(ops.square(inputs - ops.stop_gradient(found)))
        )
        return inputs + ops.stop_gradient(found - inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="npr_keras")
class Modulated(layers.Layer):
    """A 3 x 3 convolution whose input channels a style scales, its output brought back to unit size.

    Args:
        filters: Output channels.
        **kwargs: The arguments every Keras layer takes.

    Reference:
        Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        channels = input_shape[0][-1]
        self.kernel = self.add_weight(
            name="kernel", shape=(3, 3, channels, self.filters), initializer="glorot_uniform"
        )

    def call(self, inputs):
        x, style = inputs
        power = ops.matmul(ops.square(style), ops.sum(ops.square(self.kernel), axis=(0, 1)))
        x = ops.conv(
            x * style[:, None, None], self.kernel, padding="same", data_format="channels_last"
        )
        return x * ops.rsqrt(power + 1e-8)[:, None, None]

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def _conv(x, width=WIDTH, kernel=3, strides=1):
    return layers.Conv2D(width, kernel, strides, padding="same", **_LAST)(x)


def _norm(x):
    return layers.GroupNormalization(8, axis=-1)(x)


def _residual(x, width=WIDTH, up=False):
    """Group norm, SiLU and a convolution, twice; doubled between, as ADM does, where `up`."""
    y = ops.silu(_norm(x))
    if up:
        x, y = (layers.UpSampling2D(2, **_LAST)(one) for one in (x, y))
    y = _conv(y, width)
    y = _conv(ops.silu(_norm(y)), width)
    return y + (x if x.shape[-1] == width else _conv(x, width, 1))


def _latent_diffusion(x, stages):
    x = _conv(x)
    for _ in range(stages):
        x = _conv(layers.UpSampling2D(2, **_LAST)(_residual(x)))
    return _conv(ops.silu(_norm(_residual(x))), 3)


def _vector_quantised(x, stages):
    return _latent_diffusion(Quantise()(x), stages)


def _pixel_diffusion(x, stages):
    x = _conv(x)
    for _ in range(stages):
        x = _residual(_residual(x, up=True))
    return _conv(ops.silu(_norm(x)), 3)


def _progressive(x, stages):
    for _ in range(stages):
        x = layers.UpSampling2D(2, **_LAST)(x)
        for _ in range(2):
            x = PixelNorm()(ops.leaky_relu(_conv(x), 0.2))
    return _conv(x, 3, 1)


def _style(x, stages):
    style = layers.GlobalAveragePooling2D(**_LAST)(x)
    style = ops.leaky_relu(layers.Dense(WIDTH)(style), 0.2)
    x, picture = _conv(x), None
    for _ in range(stages):
        x = layers.UpSampling2D(2, interpolation="bilinear", **_LAST)(x)
        for _ in range(2):
            scale = 1 + layers.Dense(x.shape[-1])(style)
            x = ops.leaky_relu(Modulated(WIDTH)([x, scale]), 0.2)
        if picture is not None:
            picture = layers.UpSampling2D(2, interpolation="bilinear", **_LAST)(picture)
        colours = _conv(x, 3, 1)
        picture = colours if picture is None else picture + colours
    return picture


def _cycle(x, stages):
    for _ in range(stages):
        x = layers.Conv2DTranspose(WIDTH, 3, 2, padding="same", **_LAST)(x)
        x = ops.relu(layers.GroupNormalization(-1, axis=-1)(x))
    return _conv(x, 3, 7)


def _pixel_shuffle(x, stages):
    x = _conv(x)
    for _ in range(stages):
        x = ops.leaky_relu(SubPixel()(_conv(x, 4 * WIDTH)), 0.2)
    return _conv(x, 3, 9)


# What it is, after which paper, and from a latent (B, h, w, WIDTH) to a picture 2^stages as large.
FAMILIES: dict[str, tuple[str, Callable]] = {
    "ldm": ("latent diffusion's decoder (Rombach et al., CVPR 2022): nearest", _latent_diffusion),
    "vq": ("the same behind a codebook (Esser et al., CVPR 2021): nearest", _vector_quantised),
    "adm": (
        "pixel diffusion (Dhariwal and Nichol, NeurIPS 2021): nearest in blocks",
        _pixel_diffusion,
    ),
    "progan": ("ProGAN (Karras et al., ICLR 2018): nearest, pixel norm", _progressive),
    "stylegan": ("StyleGAN2 (Karras et al., CVPR 2020): bilinear, modulated", _style),
    "cyclegan": ("CycleGAN (Zhu et al., ICCV 2017): transposed convolutions", _cycle),
    "pixelshuffle": ("SRGAN (Ledig et al., CVPR 2017): pixel shuffle", _pixel_shuffle),
}


def build_family(family: str, stages: int) -> keras.Model:
    """An encoder and a family's last stages.

    Args:
        family: One of `FAMILIES`.
        stages: How often pictures are halved and doubled.

    Returns:
        From (B, H, W, 3), 0 to 255, sides multiples of 2^stages, to a dict with the family's name
        and the picture, the same shape and range, not clipped.
    """
    pixels = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    for _ in range(stages):
        x = ops.leaky_relu(_conv(x, WIDTH, 4, 2), 0.2)
        x = ops.leaky_relu(_conv(x), 0.2)
    x = FAMILIES[family][1](_conv(x, WIDTH, 1), stages)
    return keras.Model(pixels, {family: layers.Rescaling(127.5, offset=127.5)(x)})
