import math

import keras
import numpy as np
import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.errors import ConfigError
from npr_keras.layers import NPR
from npr_keras.models import Detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.profile import Calibration, Condition, ModelProfile

pytestmark = pytest.mark.every_backend

SMALL = ResNet(blocks=(1, 1), width=8)


def trainable(model):
    return sum(math.prod(w.shape) for w in model.trainable_weights)


def test_size_of_the_official_detector():
    detector = Detector()
    assert trainable(detector) == 1_437_761
    assert isinstance(detector, keras.src.models.functional.Functional)


@pytest.mark.parametrize("size", [(64, 64), (33, 50), (2, 2)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_any_size_uint8_or_float(random, size, dtype):
    x = random.integers(0, 256, (2, *size, 3)).astype(dtype)
    y = Detector(SMALL).predict_on_batch(x)
    assert y.shape == (2, 1)
    assert y.dtype == np.float32
    assert np.isfinite(y).all()


def test_features_are_padded_symmetrically(random):
    # Mirroring the pixels mirrors the features only if padding is symmetric. Odd sides, so that
    # the strided windows start and end at the border alike; identity as the representation.
    detector = Detector(SMALL, keras.layers.Identity())
    stem = keras.Model(detector.input, detector.get_layer("maxpool").output)
    for layer in ("conv1",):
        kernel = detector.get_layer(layer).kernel
        value = keras.ops.convert_to_numpy(kernel)
        kernel.assign((value + value[:, ::-1]) / 2)
    x = random.integers(0, 256, (1, 37, 37, 3), np.uint8)
    y, mirrored = stem.predict_on_batch(x), stem.predict_on_batch(x[:, :, ::-1])
    width = 2 if keras.backend.backend() != "torch" else 3
    np.testing.assert_allclose(np.flip(y, width), mirrored, atol=1e-5)


def test_initial_weights_follow_the_official_distributions():
    keras.utils.set_random_seed(0)
    detector = Detector()
    for name in ("conv1", "layer1_0_conv2", "layer2_3_conv3"):
        kernel = keras.ops.convert_to_numpy(detector.get_layer(name).kernel)
        fan_out = kernel.shape[0] * kernel.shape[1] * kernel.shape[3]
        deviation = math.sqrt(2 / fan_out)
        assert abs(kernel.std() / deviation - 1) < 0.06
        # A truncated normal ends at two deviations.
        assert np.abs(kernel).max() > 2.5 * deviation
    bound = 1 / math.sqrt(512)
    weights = keras.ops.convert_to_numpy(detector.get_layer("fc1").kernel)
    assert 0.95 * bound < np.abs(weights).max() <= bound
    assert 0 < abs(float(keras.ops.convert_to_numpy(detector.get_layer("fc1").bias)[0])) <= bound


def test_file_round_trip(tmp_path, random):
    config = ResNet(blocks=(2,), width=8)
    profile = ModelProfile(
        PROTOCOLS["tile"],
        Calibration(2.0, 0.1, 0.5, 50, 0.05, 0.95, "tile"),
        (Condition("jpeg", 90.0, 0.9, 0.8, 0.85, 50, "tile", 0.5),),
    )
    layer = NPR(3, "avg", scale=1.0, data_format="channels_last")
    detector = Detector(config, layer, profile)
    detector.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = random.integers(0, 256, (2, 30, 30, 3), np.uint8)
    np.testing.assert_array_equal(detector.predict_on_batch(x), loaded.predict_on_batch(x))
    assert loaded.backbone == config
    assert loaded.profile == profile
    assert loaded.preprocessing.name == "tile"
    assert loaded.representation.get_config() == detector.representation.get_config()


def test_any_layer_can_be_the_representation(random):
    high_pass = keras.layers.DepthwiseConv2D(3, data_format="channels_last", use_bias=False)
    detector = Detector(SMALL, high_pass)
    assert detector.predict_on_batch(random.integers(0, 256, (1, 32, 32, 3))).shape == (1, 1)
    assert trainable(detector) == trainable(Detector(SMALL)) + 27


def test_mixed_precision_keeps_the_differences(random):
    x = random.integers(120, 124, (2, 48, 48, 3), np.uint8)
    keras.utils.set_random_seed(0)
    full = Detector(SMALL)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = Detector(SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(full.get_weights())
    assert mixed.get_layer("layer1_0_conv1").compute_dtype == "bfloat16"
    npr = [keras.Model(m.input, m.representation.output) for m in (full, mixed)]
    np.testing.assert_array_equal(npr[0].predict_on_batch(x), npr[1].predict_on_batch(x))
    np.testing.assert_allclose(mixed.predict_on_batch(x), full.predict_on_batch(x), atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": {"width": 64}}, "must be a Backbone"),
        ({"representation": "npr"}, "Received: 'npr'"),
        ({"profile": {}}, "must be a ModelProfile"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Detector(**arguments)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the fault was JAX's")
def test_keras_exports_a_detector_from_jax(tmp_path, random):
    """Without gradients, as every Keras model with free sides there."""
    import tensorflow as tf

    detector = Detector(SMALL)
    options = {"jax2tf_kwargs": {"with_gradient": False}}
    detector.export(tmp_path / "m", format="tf_saved_model", verbose=False, **options)
    pixels = random.integers(0, 256, (2, 33, 40, 3), np.uint8)
    loaded = tf.saved_model.load(tmp_path / "m")
    found = loaded.serve(pixels.astype("float32"))
    np.testing.assert_allclose(found, detector.predict_on_batch(pixels), atol=1e-4)
