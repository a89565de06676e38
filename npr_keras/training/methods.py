"""A row of the table of detectors to a detector."""

from __future__ import annotations

import os

import keras
import numpy as np

from npr_keras.config import PROTOCOLS, Preprocessing, TrainingConfig
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.stream import stream_pixels
from npr_keras.detectors import Method, recipe_of
from npr_keras.errors import ConfigError
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector
from npr_keras.models.backbones.base import Backbone, make_backbone
from npr_keras.models.official import load_backbone
from npr_keras.models.pth import load_pth
from npr_keras.profile import ModelProfile


def pixels_of(method: Method, config: TrainingConfig | None = None) -> Preprocessing:
    """How a method's detector makes its pixels when it scores."""
    return PROTOCOLS.get(method.protocol) or recipe_of(method, config).scoring


def require_size(detector: Detector, config: TrainingConfig) -> None:
    """Raises ConfigError where a detector takes images of one size, and the recipe makes others."""
    for made, what in ((config.crop, "crop"), (detector.preprocessing.fixed_size, "protocol")):
        if detector.side and made != detector.side:
            received = detector.preprocessing.name if what == "protocol" else made
            raise ConfigError(
                f"This detector takes {detector.side} x {detector.side} pixels alone: its crop is "
                f"{detector.side}, and its protocol makes as many. Received: {what}={received}"
            )


def begin(
    detector: Detector,
    images: TrainingImages,
    pipeline: str,
    weights: str | os.PathLike | None = None,
) -> None:
    """What comes before the first step: weights to begin with, and statistics of the images.

    Args:
        detector: Untrained. A representation with `adapt` takes its statistics by it.
        images: What it will be trained on, seen as it sees them when it scores.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.
        weights: Of a representation that has weights of its own, by its `load_official`, or that a
            whole model is brought to, by its `bring`; else of the
            backbone, see `npr_keras.models.official.load_backbone`.
    """
    layer = detector.representation
    if weights and hasattr(layer, "bring"):
        layer.bring(weights)
    elif weights and hasattr(layer, "load_official"):
        layer.load_official(load_pth(weights))
    elif weights:
        load_backbone(detector, weights)
    if hasattr(layer, "adapt"):
        before = keras.Model(detector.input, layer.input)
        most = getattr(layer, "most_adapted", len(images.records))
        records = images.records[:: -(-len(images.records) // most)]
        pixels = stream_pixels(records, detector.preprocessing, images.unreadable, pipeline)
        layer.adapt(np.asarray(before.predict_on_batch(one[None]))[0] for _, one in pixels)


def detector_for(
    method: Method,
    backbone: Backbone | None = None,
    representation: keras.layers.Layer | None = None,
    profile: ModelProfile | None = None,
) -> Detector:
    """An untrained detector.

    Args:
        method: Of `npr_keras.detectors.DETECTORS`.
        backbone, representation, profile: As for `Detector`; by default the method's.

    Raises:
        ConfigError: If its row names what is not there.
    """
    return Detector(
        backbone or make_backbone(**method.backbone),
        representation or make_representation(**method.representation),
        profile or ModelProfile(pixels_of(method)),
    )
