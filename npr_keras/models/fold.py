"""The detector as it is served: fewer operations, the same score.

Between an image's pixels and the trunk lie a normalisation, NPR and a convolution, all linear; and
every batch normalisation is linear once it no longer learns. What is linear folds into the
convolution beside it. The graph stays the detector's own: its layers are replaced one by one.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from npr_keras.layers import NPR, Normalise
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.models.detector import Detector


def fold(detector: Detector, exact: bool = False) -> keras.Model:
    """A detector with batch normalisation, and NPR where that can be, in its convolutions.

    NPR folds with a window of 2 and a linear reference (one of the block's pixels, or their mean):
    a block's reference is 2 pixels away from the convolution's edge at most, so that 4 x 4 pixels,
    every other one, are all that it reads. The maximum is not linear, and a window of 3 against
    a stride of 2 repeats every 6 pixels only: these keep their layers, as do blocks that are padded
    and other representations.

    Args:
        detector: Any detector, built under the backend in use.
        exact: Take the differences of pixels apart from what is learned of them, by a convolution
            whose weights are small integers. In float32 that is the same and slower. In half
            precision it is what counts: differences of up to 256 grey levels are exact there, while
            a kernel's rounded weights no longer cancel, and the brightness leaks through.

    Returns:
        A functional model from (B, H, W, 3), values 0 to 255, to the logit, (B, 1), with the
        detector's layers' names.
    """
    follows = _followers(detector)
    linear = is_foldable(detector)
    parts: Any = detector.stem or (None, None)
    padding, stem = parts
    npr = detector.representation
    weights: dict[str, list[np.ndarray]] = {}
    differences = None
    if linear and exact:
        kernel = difference_kernel(npr, _kernel(stem).shape[2])
        differences = layers.Conv2D(
            kernel.shape[-1],
            4,
            2,
            use_bias=False,
            data_format=stem.data_format,
            name="differences",
        )
        weights["differences"] = [kernel]

    def replaced(layer):
        name = layer.name
        if linear and (isinstance(layer, Normalise) or layer is detector.representation):
            return _nothing(layer)
        if linear and layer is padding:
            # NPR beyond the edge is 0; the difference of two pixels that are both 0 is just that.
            return layers.ZeroPadding2D(((2, 0), (2, 0)), data_format=layer.data_format, name=name)
        if layer in follows.values():
            return _nothing(layer)
        if layer.name in follows:
            kernel = _kernel(layer)
            if linear and layer is stem:
                std = detector.backbone.std
                if exact:
                    kernel = _scaled(kernel, npr, std).reshape(1, 1, -1, kernel.shape[-1])
                else:
                    kernel = fold_representation(kernel, npr, std)
            kernel, bias = _fold_batch_norm(kernel, layer, follows[name])
            weights[name] = [kernel, bias]
            config = layer.get_config()
            config.update(use_bias=True, kernel_size=kernel.shape[:2])
            if differences and layer is stem:
                config.update(strides=(1, 1))
            return layers.Conv2D.from_config(config)
        return layer.__class__.from_config(layer.get_config())

    def called(layer, *args, **kwargs):
        if isinstance(layer, layers.Identity):
            return args[0]
        if differences and layer.name == stem.name:
            return layer(differences(args[0]))
        return layer(*args, **kwargs)

    return _rebuilt(detector, replaced, called, weights)


def _rebuilt(detector: Detector, replaced, called, weights: dict) -> keras.Model:
    """The detector's graph with other layers, and the weights of those that stayed."""
    model = keras.models.clone_model(
        keras.Model(detector.input, detector.output),
        clone_function=replaced,
        call_function=called,
    )
    for layer in model.layers:
        if layer.name in weights:
            layer.set_weights(weights[layer.name])
        elif layer.weights:
            layer.set_weights(detector.get_layer(layer.name).get_weights())
    return model


def is_foldable(detector: Detector) -> bool:
    """Whether a detector's representation folds into its first convolution."""
    layer = detector.representation
    if not detector.stem or type(layer) is not NPR or layer.window != 2 or layer.reference == "max":
        return False
    return layer.padding == "valid"


def fold_representation(kernel: np.ndarray, npr: NPR, std) -> np.ndarray:
    """A 3 x 3 kernel on NPR maps as a 4 x 4 kernel on pixels from 0 to 255.

    The map's row 2i - 1 + u, which is pixel row u + 1 of the four from 2i - 2 on, has its reference
    among the first two of them for u = 0, and among the last two for u = 1 and 2. The mean that
    pixels are normalised with is the same in a pixel and its reference, and cancels.

    Args:
        kernel: (3, 3, C, filters).
        npr: The layer, with a window of 2 and a linear reference.
        std: The channels' standard deviations, on the range 0 to 1.

    Returns:
        (4, 4, C, filters), for a stride of 2 and two pixels of zero padding above and to the left.
    """
    channels = kernel.shape[2]
    differences = difference_kernel(npr, channels).reshape(4, 4, channels, -1)
    learned = _scaled(kernel, npr, std).reshape(9 * channels, -1)
    return differences.astype(np.float64) @ learned


def difference_kernel(npr: NPR, channels: int) -> np.ndarray:
    """What takes the nine pixels' differences to their references: (4, 4, C, 9 C).

    Of 1 and -1; for the mean, whose quarters half precision could not hold to the end, of 3 and -1,
    so that the differences come out four times as large.

    The output's channels are in the order of a 3 x 3 kernel's weights: row, column, colour.
    """
    if npr.reference == "avg":
        places = [(row, column) for row in (0, 1) for column in (0, 1)]
    else:
        places = [divmod(npr.reference - 1, 2)]
    kernel = np.zeros((4, 4, channels, 3, 3, channels), np.float32)
    for u in range(3):
        for v in range(3):
            for c in range(channels):
                kernel[u + 1, v + 1, c, u, v, c] += len(places)
                for row, column in places:
                    kernel[2 * (u > 0) + row, 2 * (v > 0) + column, c, u, v, c] -= 1
    return kernel.reshape(4, 4, channels, 9 * channels)


def _scaled(kernel: np.ndarray, npr: NPR, std) -> np.ndarray:
    """A kernel on NPR maps as one on what `difference_kernel` gives for pixels from 0 to 255."""
    kernel = np.asarray(kernel, np.float64)
    times = 4 if npr.reference == "avg" else 1
    return kernel * npr.scale / (times * 255 * np.asarray(std, np.float64))[:, None]


def _fold_batch_norm(kernel, convolution, layer: BatchNorm):
    """A convolution and the normalisation behind it as one convolution with a bias."""
    kernel = np.asarray(kernel, np.float64)
    bias = np.asarray(convolution.get_weights()[1], np.float64) if convolution.use_bias else 0.0
    gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in layer.get_weights())
    factor = gamma / np.sqrt(variance + layer.epsilon)
    bias = beta + (bias - mean) * factor
    return (kernel * factor).astype(np.float32), bias.astype(np.float32)


def _followers(detector: Detector) -> dict[str, BatchNorm]:
    """The batch normalisation behind each convolution that has one, by the convolution's name."""
    found = {}
    for layer in detector.layers:
        if isinstance(layer, layers.Conv2D) and layer.activation is keras.activations.linear:
            users = [node.operation for node in layer._outbound_nodes]
            if len(users) == 1 and isinstance(users[0], BatchNorm):
                found[layer.name] = users[0]
    return found


def _kernel(layer) -> np.ndarray:
    return layer.get_weights()[0]


def _nothing(layer):
    return layers.Identity(name=layer.name)
