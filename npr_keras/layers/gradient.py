"""The gradient of a discriminator with respect to the image: LGrad's map."""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.errors import CheckpointError
from npr_keras.layers.dct import _OfOneSize

_GAIN = math.sqrt(2)  # of a leaky ReLU
_SPREAD = 1e-4  # what the spread over a batch is for a batch of one: sqrt(1e-8)


@keras.saving.register_keras_serializable(package="npr_keras")
class GradientMap(_OfOneSize):
    """How a generator's discriminator would have each pixel change, as an image of 256 levels.

    The discriminator is StyleGAN's, for each image alone: its spread over the batch is that of a batch
    of one, a constant, so that no image's map depends on its neighbours in a batch. The gradient of
    its logit, less its least value, over its largest, in whole levels, then normalised as ImageNet's
    images are. It is never trained here: `load_official` takes the weights that the user brings.

    Args:
        side: Of the images, in pixels, a power of two.
        base, most: Channels at r x r positions are `base / r`, at most `most`.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, 3), from -1 to 1.

    Output shape:
        The same.

    Reference:
        Tan et al., "Learning on gradients: generalized artifacts representation for GAN-generated
        images detection", CVPR 2023; Karras et al., "A style-based generator architecture", CVPR 2019.
    """

    def __init__(self, side=256, base=16384, most=512, **kwargs):
        super().__init__(side, **kwargs)
        self.base = base
        self.most = most

    def _channels(self, resolution):
        return min(self.base // resolution, self.most)

    def build(self, input_shape):
        resolutions = [self.side >> i for i in range(int(math.log2(self.side)) - 1)]  # side ... 4
        first = self._channels(self.side)
        self.shapes: dict[str, tuple[int, ...]] = {"input0": (1, 1, 3, first)}
        channels, number = first, 0
        for resolution in resolutions[:-1]:
            after = self._channels(resolution // 2)
            self.shapes[f"layer{number}"] = (3, 3, channels, channels)
            self.shapes[f"layer{number + 1}"] = (3, 3, channels, after)
            channels, number = after, number + 2
        self.shapes[f"layer{number}"] = (3, 3, channels + 1, channels)
        self.shapes[f"layer{number + 1}"] = (16 * channels, channels)
        self.shapes[f"layer{number + 2}"] = (channels, 1)
        normal = keras.initializers.RandomNormal(stddev=1.0)
        for name, shape in self.shapes.items():
            options = {"trainable": False, "dtype": "float32"}
            kernel = self.add_weight(
                name=f"{name}_kernel", shape=shape, initializer=normal, **options
            )
            setattr(self, f"{name}_kernel", kernel)
            bias = self.add_weight(
                name=f"{name}_bias", shape=shape[-1:], initializer="zeros", **options
            )
            setattr(self, f"{name}_bias", bias)

    def _kernel(self, name, gain=_GAIN):
        shape = self.shapes[name]
        kernel = ops.convert_to_tensor(getattr(self, f"{name}_kernel"))
        return kernel * (gain / math.sqrt(math.prod(shape[:-1])))

    def _bias(self, name):
        return ops.convert_to_tensor(getattr(self, f"{name}_bias"))

    def logits(self, x):
        """The discriminator itself: (B, side, side, 3), from -1 to 1, to (B, 1)."""

        def active(x):
            return ops.leaky_relu(x, negative_slope=0.2)

        def conv(x, kernel):
            return ops.conv(x, kernel, padding="same", data_format="channels_last")

        x = active(conv(x, self._kernel("input0")) + self._bias("input0"))
        names = list(self.shapes)[1:]
        *pairs, last, dense, out = names
        for one, two in zip(pairs[::2], pairs[1::2], strict=True):
            x = active(conv(x, self._kernel(one)) + self._bias(one))
            x = conv(_blurred(x), self._kernel(two))
            x = ops.average_pool(x, 2, 2, data_format="channels_last") + self._bias(two)
            x = active(x)
        spread = ops.ones_like(x[..., :1]) * _SPREAD
        x = active(conv(ops.concatenate([x, spread], -1), self._kernel(last)) + self._bias(last))
        x = ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, self.shapes[dense][0]))
        x = active(ops.matmul(x, self._kernel(dense)) + self._bias(dense))
        return ops.matmul(x, self._kernel(out, 1.0)) + self._bias(out)

    def gradient(self, x):
        """Of each image's logit with respect to its own pixels: (B, side, side, 3)."""
        return _GRADIENTS[keras.backend.backend()](lambda x: ops.sum(self.logits(x)), x)

    def levels(self, x):
        """The gradient as whole levels from 0 to 255; one that is the same everywhere is 0."""
        g = self.gradient(x)
        g = g - ops.min(g, axis=(1, 2, 3), keepdims=True)
        most = ops.max(g, axis=(1, 2, 3), keepdims=True)
        return ops.round(g / ops.where(most > 0, most, ops.ones_like(most)) * 255.0)

    def call(self, inputs):
        x = self.levels(self._checked(inputs))
        mean, std = (ops.convert_to_tensor(v, x.dtype) for v in (IMAGENET_MEAN, IMAGENET_STD))
        return ops.cast(ops.stop_gradient((x / 255.0 - mean) / std), self.compute_dtype)

    def load_official(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes the weights of a converted StyleGAN discriminator.

        Args:
            state: Names such as `layer0.weight` to arrays, as PyTorch keeps them.

        Raises:
            CheckpointError: If one is missing, or has another shape.
        """
        found = {}
        for name, shape in self.shapes.items():
            kernel, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
            if kernel is None or bias is None:
                raise CheckpointError(f"No {name}.weight and .bias: not this discriminator.")
            kernel = np.asarray(kernel, np.float32)
            kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
            if kernel.shape != shape:
                raise CheckpointError(
                    f"{name}.weight: expected {shape}, received {kernel.shape}, height, width, in, out."
                )
            found[name] = kernel, np.asarray(bias, np.float32)
        for name, (kernel, bias) in found.items():
            getattr(self, f"{name}_kernel").assign(kernel)
            getattr(self, f"{name}_bias").assign(bias)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, 3)

    def get_config(self):
        return {**super().get_config(), "base": self.base, "most": self.most}


def _blurred(x):
    """Through [1 2 1] along both axes, a quarter each, zeros beyond the edge."""
    for axis in (1, 2):
        widths = [[1, 1] if i == axis else [0, 0] for i in range(4)]
        wide = ops.pad(x, widths)
        side = x.shape[axis]
        parts = [wide[:, i : i + side] if axis == 1 else wide[:, :, i : i + side] for i in range(3)]
        x = (parts[0] + 2 * parts[1] + parts[2]) / 4
    return x


def _of_tensorflow(call, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(x)
    return tape.gradient(y, x)


def _of_torch(call, x):
    import torch

    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (found,) = torch.autograd.grad(call(x), x)
    return found


def _of_jax(call, x):
    import jax

    return jax.grad(call)(x)


_GRADIENTS = {"tensorflow": _of_tensorflow, "torch": _of_torch, "jax": _of_jax}
