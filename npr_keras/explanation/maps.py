"""A picture's NPR map, its class activation map, and its score region by region."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from npr_keras.errors import ConfigError
from npr_keras.models import Detector
from npr_keras.models.backbones.base import fast_data_format

GRID = 8  # regions a side


@dataclass(frozen=True)
class Explanation:
    """What a detector saw in one picture.

    Attributes:
        pixels: uint8, (H, W, 3): the picture as the detector got it.
        representation: float32, (H', W', C): what its trunk is fed with; NPR, for a detector that
            has it.
        activation: float32, (h, w): the class activation map, at the backbone's resolution. Its mean
            plus `bias` is the logit; where each position is scored for itself, activation plus `bias`
            are their logits, and the image's is that of their mean probability.
        bias: Of the last layer.
        regions: float32, (g, g'): the logit of each region of a grid. Their mean, weighted by size,
            is the logit.
        logit: The detector's output.
    """

    pixels: np.ndarray
    representation: np.ndarray
    activation: np.ndarray
    bias: float
    regions: np.ndarray
    logit: float


def explain(detector: Detector, pixels: np.ndarray, grid: int = GRID) -> Explanation:
    """Takes one picture apart.

    The class activation map is that of Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016. Here it is exact: pooling and one dense layer end the network, so the
    logit is the mean of the map, and nothing is approximated.

    Args:
        detector: A detector, not a predictor: the layers are looked into.
        pixels: uint8, (H, W, 3), see `npr_keras.load_image`.
        grid: Regions a side, at most; as many as the trunk has positions where these are fewer.

    Raises:
        ConfigError: If there is no such grid, not one picture, or no map of where.

    Example:
        >>> pixels = load_image("photo.jpg", PROTOCOLS["native"])
        >>> found = explain(load_detector("saved_models/npr"), pixels)
        >>> found.activation.shape, found.regions.shape
        ((8, 8), (8, 8))
    """
    if not isinstance(grid, int) or isinstance(grid, bool) or grid < 1:
        raise ConfigError(f"`grid` must be a positive integer. Received: grid={grid!r}")
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ConfigError(f"`pixels` must be one picture, (H, W, 3). Received: {pixels.shape}")
    if not detector.has_positions:
        raise ConfigError(
            "This detector sees an image as a whole: it has no features of single positions, and so no "
            "map of where the evidence sits."
        )
    dense = detector.head
    outputs = [detector.representation.output, detector.features_in(detector), detector.output]
    parts = keras.Model(detector.input, outputs)
    # Not `parts(...)`: called eagerly, every layer's output stays in memory until the end.
    representation, features, logit = (
        np.asarray(x, np.float32) for x in parts.predict_on_batch(pixels[None])
    )
    features = features[0]
    if fast_data_format() == "channels_first":
        features = features.transpose(1, 2, 0)  # (h, w, C)
    kernel, bias = (ops.convert_to_numpy(v) for v in (dense.kernel, dense.bias))
    activation = (features @ np.asarray(kernel, np.float32))[:, :, 0]
    return Explanation(
        pixels,
        _channels_last(representation[0], detector.representation),
        activation,
        float(bias[0]),
        region_logits(activation, float(bias[0]), grid, detector.backbone.pooling),
        float(logit[0, 0]),
    )


def region_logits(
    activation: np.ndarray, bias: float, grid: int = GRID, pooling: str = "mean"
) -> np.ndarray:
    """The logit of each region of a grid: the mean of the activation map there, plus the bias.

    Args:
        activation: See `Explanation`, (h, w).
        bias: Of the last layer.
        grid: Regions a side, at most.
        pooling: "probability" where each position is scored for itself: a region's logit is that of
            its positions' mean probability.

    Returns:
        float32, (min(grid, h), min(grid, w)).
    """
    rows, columns = (np.array_split(np.arange(n), min(grid, n)) for n in activation.shape)
    scores = activation.astype(np.float64) + bias
    if pooling == "probability":
        scores = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
    means = np.array([[scores[np.ix_(r, c)].mean() for c in columns] for r in rows])
    if pooling == "probability":
        means = np.log(means / (1 - means))
    return means.astype(np.float32)


def region_edges(positions: int, grid: int, side: int) -> np.ndarray:
    """Where regions begin and end along one axis, in pixels.

    Args:
        positions: Of the activation map along it.
        grid: Regions, at most.
        side: The picture's length along it, in pixels.

    Returns:
        float64, (min(grid, positions) + 1,), from 0 to `side`.
    """
    parts = np.array_split(np.arange(positions), min(grid, positions))
    return np.cumsum([0, *map(len, parts)]) * side / positions


def _channels_last(representation: np.ndarray, layer) -> np.ndarray:
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return representation.transpose(1, 2, 0) if first else representation
