"""Options with a parsing of their own."""

import click
import pytest

from npr_keras.config import TrainingConfig
from npr_keras_cli.options import pixels_or_none


def test_pixels_or_none():
    assert pixels_or_none(None, None, "256") == 256
    assert pixels_or_none(None, None, " None ") is None
    for wrong in ("big", "-3", "1.5", ""):
        with pytest.raises(click.BadParameter, match="neither a number of pixels nor none"):
            pixels_or_none(None, None, wrong)


def test_images_that_are_not_resized_are_not_resized_to_validate_either():
    from npr_keras.training.gradient import validation_protocol

    assert validation_protocol(TrainingConfig()).name == "resize256_centercrop224"
    assert validation_protocol(TrainingConfig(resize=None)).resize is None
