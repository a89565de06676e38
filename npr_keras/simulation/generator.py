"""Small autoencoders that end in a known up-sampling operator.

After AutoGAN (Zhang, Karaman, Chang, "Detecting and Simulating Artifacts in GAN Fake Images", WIFS
2019): what comes out has the photograph's content and the operator's trace. AutoGAN trains against
a discriminator so that its pictures are as sharp as photographs; these learn it from a second
loss, on local high-frequency energy. That is one network instead of a game of two, quick, and
ends the same way every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops

from npr_keras.simulation.plan import NO_UPSAMPLING, Network, parse_network

WIDTH = 16
CROP = 64  # what the networks learn on, in pixels
BATCH = 4
LEARNING_RATE = 3e-3
ENERGY_WEIGHT = 0.1
_WINDOW = 8  # of local energy, in pixels


@keras.saving.register_keras_serializable(package="npr_keras")
class SubPixel(layers.Layer):
    """Moves channels to pixels: (B, H, W, 4 C) to (B, 2 H, 2 W, C).

    Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network", CVPR 2016.
    """

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        x = ops.reshape(inputs, (-1, height, width, 2, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, 2 * height, 2 * width, channels // 4))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(n and 2 * n for n in (height, width)), channels and channels // 4)


def build_autoencoder(upsampler: str, networks: Sequence[str], seed: int) -> keras.Model:
    """One encoder and several decoders.

    Args:
        upsampler: What every stage of the decoders up-samples by, one of `UPSAMPLERS`; or "none",
            and nothing is halved or doubled, all else being equal.
        networks: The decoders' shapes, written as `Network` says.
        seed: Of the weights.

    Returns:
        A functional model from (B, H, W, 3), values 0 to 255, to a dict from each name in
        `networks` to float32 of the same shape, not clipped. H and W have to be multiples of the
        largest up-sampling.
    """
    shapes = {name: parse_network(name) for name in networks}
    convolution = _Convolutions(seed)
    pixels = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255, offset=-0.5)(pixels)
    strides = 1 if upsampler == NO_UPSAMPLING else 2
    encoded = []  # after 1, 2, ... halvings
    for stage in range(max(shape.stages for shape in shapes.values())):
        width = WIDTH * min(2, stage + 1)
        x = _activate(convolution(width, 4, strides)(x))
        x = _activate(convolution(width, 3)(x))
        encoded.append(x)
    outputs = {}
    for name, shape in shapes.items():
        picture = _decode(encoded[shape.stages - 1], upsampler, shape, convolution)
        outputs[name] = layers.Rescaling(255, offset=127.5)(picture)
    return keras.Model(pixels, outputs)


class _Convolutions:
    """Makes convolutions whose initial weights follow from one seed, and nothing global."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng([seed, 0])

    def __call__(self, width, kernel, strides=1, transposed=False):
        kind = layers.Conv2DTranspose if transposed else layers.Conv2D
        return kind(
            width,
            kernel,
            strides,
            padding="same",
            data_format="channels_last",  # whatever Keras' own setting is
            kernel_initializer=keras.initializers.GlorotUniform(int(self.random.integers(2**31))),
        )


def _activate(x):
    """Leaky ReLU; Keras' own layer makes TensorFlow's optimizer write errors to stderr."""
    return ops.maximum(x, 0.2 * x)


def _decode(x, upsampler: str, shape: Network, convolution: _Convolutions):
    for stage in range(shape.stages):
        to_picture = stage == shape.stages - 1 and shape.tail == 0
        width = 3 if to_picture else WIDTH
        if upsampler == "transposed":
            x = convolution(width, shape.kernel, strides=2, transposed=True)(x)
        elif upsampler == "subpixel":
            x = SubPixel()(convolution(4 * width, shape.kernel)(x))
        elif upsampler == NO_UPSAMPLING:
            x = convolution(width, shape.kernel)(x)
        else:
            x = layers.UpSampling2D(2, "channels_last", upsampler)(x)
            x = convolution(width, shape.kernel)(x)
        x = x if to_picture else _activate(x)
    if shape.tail:
        x = convolution(3, shape.kernel if shape.tail == 1 else 1)(x)
    return x


def local_energy(pixels):
    """Root mean square of the Laplacian in windows of 8 x 8 pixels, of each colour.

    Args:
        pixels: (B, H, W, C), values 0 to 1.

    Returns:
        (B, (H - 2) // 8, (W - 2) // 8, C).
    """
    middle = pixels[:, 1:-1, 1:-1]
    around = pixels[:, :-2, 1:-1] + pixels[:, 2:, 1:-1] + pixels[:, 1:-1, :-2] + pixels[:, 1:-1, 2:]
    power = ops.average_pool(
        ops.square(4 * middle - around), _WINDOW, _WINDOW, data_format="channels_last"
    )
    return ops.sqrt(power + 1e-5)  # as of noise of a fifth of a grey level: no one sees less


def reconstruction_loss(photographs, pictures):
    """Mean absolute error, plus how far local energies are apart, as a ratio; values 0 to 255."""
    photographs, pictures = photographs / 255, pictures / 255
    error = ops.mean(ops.abs(pictures - photographs))
    ratio = ops.log(local_energy(pictures)) - ops.log(local_energy(photographs))
    return error + ENERGY_WEIGHT * ops.mean(ops.abs(ratio))


def train_autoencoder(
    model: keras.Model,
    photographs: np.ndarray,
    steps: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Teaches an autoencoder to give back photographs, on random crops of 64 pixels.

    Args:
        model: See `build_autoencoder`.
        photographs: uint8, (n, H, W, 3); crops are 64 pixels wide, or as wide as these.
        steps: Batches of 4 crops.
        seed: Of the crops.
        progress: Called with the number of steps done since the last call.
    """
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss=dict.fromkeys(model.output, reconstruction_loss),
        jit_compile=keras.backend.backend() == "jax",  # elsewhere XLA is slower, on a CPU
    )
    callbacks = []
    if progress:
        callbacks = [
            keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: progress(1))
        ]
    crops = _Crops(photographs, list(model.output), steps, seed)
    model.fit(crops, shuffle=False, verbose=0, callbacks=callbacks)


class _Crops(keras.utils.PyDataset):
    """Batches of random crops, each its own target for every decoder."""

    def __init__(self, photographs: np.ndarray, names: list[str], steps: int, seed: int):
        super().__init__(workers=1)
        self.photographs = photographs
        self.names = names
        self.steps = steps
        self.seed = seed

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, 1, index])
        count, height, width, _ = self.photographs.shape
        side = min(CROP, height, width)
        crops = np.empty((BATCH, side, side, 3), np.float32)
        for crop in crops:
            top, left = random.integers(0, (height - side + 1, width - side + 1))
            photograph = self.photographs[random.integers(count)]
            crop[:] = photograph[top : top + side, left : left + side]
        return crops, dict.fromkeys(self.names, crops)
