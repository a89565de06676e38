import keras
import numpy as np
import pytest
import torch
from contracts import check_layer, check_saving

from npr_keras.errors import ConfigError
from npr_keras.layers import Normalise

pytestmark = pytest.mark.every_backend


def test_equals_pytorch_to_the_last_bit_or_nearly(random):
    pixels = random.integers(0, 256, (2, 6, 5, 3), np.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = ((torch.from_numpy(pixels).float() / 255 - mean) / std).numpy()
    y = keras.ops.convert_to_numpy(Normalise()(pixels))
    np.testing.assert_allclose(y, expected, atol=5e-7)


def test_contract(tmp_path):
    arguments = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}
    model, x = check_layer(Normalise, arguments, (2, 6, 5, 3), (2, 6, 5, 3))
    check_saving(model, x, tmp_path / "model.keras")


def test_wrong_number_of_channels():
    with pytest.raises(ConfigError, match=r"Received: std=\(1\.0,\)"):
        Normalise(std=(1.0,))
