"""A row of the table of detectors to a detector."""

from __future__ import annotations

from npr_keras.config import PROTOCOLS, Preprocessing, TrainingConfig
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector
from npr_keras.models.backbones.base import make_backbone
from npr_keras.profile import ModelProfile
from npr_keras.tables import Method


def pixels_of(method: Method, config: TrainingConfig | None = None) -> Preprocessing:
    """How a method's detector makes its pixels when it scores."""
    recipe = config or TrainingConfig.from_dict(method.recipe)
    return PROTOCOLS.get(method.protocol) or recipe.scoring


def detector_for(method: Method) -> Detector:
    """An untrained detector.

    Args:
        method: Of `npr_keras.tables.DETECTORS`.

    Raises:
        ConfigError: If its row names what is not there.
    """
    return Detector(
        make_backbone(**method.backbone),
        make_representation(**method.representation),
        ModelProfile(pixels_of(method)),
    )
