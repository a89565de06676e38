"""A row of the table of detectors to a detector."""

from __future__ import annotations

import keras

from npr_keras.config import PROTOCOLS, Preprocessing, TrainingConfig
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector
from npr_keras.models.backbones.base import Backbone, make_backbone
from npr_keras.profile import ModelProfile
from npr_keras.tables import Method


def pixels_of(method: Method, config: TrainingConfig | None = None) -> Preprocessing:
    """How a method's detector makes its pixels when it scores."""
    recipe = config or TrainingConfig.from_dict(method.recipe)
    return PROTOCOLS.get(method.protocol) or recipe.scoring


def detector_for(
    method: Method,
    backbone: Backbone | None = None,
    representation: keras.layers.Layer | None = None,
    profile: ModelProfile | None = None,
) -> Detector:
    """An untrained detector.

    Args:
        method: Of `npr_keras.tables.DETECTORS`.
        backbone, representation, profile: As for `Detector`; by default the method's.

    Raises:
        ConfigError: If its row names what is not there.
    """
    return Detector(
        backbone or make_backbone(**method.backbone),
        representation or make_representation(**method.representation),
        profile or ModelProfile(pixels_of(method)),
    )
