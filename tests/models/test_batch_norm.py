import keras
import numpy as np
import pytest
import torch

from npr_keras.models.batch_norm import BatchNorm

pytestmark = pytest.mark.every_backend


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_equals_pytorch(random, data_format):
    if data_format == "channels_first" and keras.backend.backend() == "tensorflow":
        data_format = "channels_last"  # TensorFlow has no such kernel on a CPU
    x = random.normal(2.0, 3.0, (4, 5, 6, 7)).astype("float32")  # (B, C, H, W)
    theirs = torch.nn.BatchNorm2d(5)
    with torch.no_grad():
        theirs.weight.copy_(torch.arange(1.0, 6.0))
        theirs.bias.copy_(torch.arange(5.0))
    first = data_format == "channels_first"
    ours = BatchNorm(axis=1 if first else -1, momentum=0.9, epsilon=1e-5)
    ours.build((None, 5, None, None) if first else (None, None, None, 5))
    ours.gamma.assign(np.arange(1.0, 6.0))
    ours.beta.assign(np.arange(5.0))

    def call(training):
        y = ours(x if first else x.transpose(0, 2, 3, 1), training=training)
        y = keras.ops.convert_to_numpy(y)
        return y if first else y.transpose(0, 3, 1, 2)

    for _ in range(3):
        expected = theirs(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(call(True), expected, atol=2e-5)
    # The running variance is the unbiased one: 4 * 6 * 7 values, a factor of 168 / 167.
    for variable, expected in (
        (ours.moving_mean, theirs.running_mean),
        (ours.moving_variance, theirs.running_var),
    ):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable), expected.numpy(), rtol=2e-5
        )
    theirs.eval()
    np.testing.assert_allclose(call(False), theirs(torch.from_numpy(x)).detach().numpy(), atol=2e-5)


def test_frozen_layer_does_not_learn(random):
    layer = BatchNorm()
    layer.build((None, None, None, 3))
    layer.trainable = False
    layer(random.normal(5.0, 2.0, (2, 4, 4, 3)).astype("float32"), training=True)
    assert not keras.ops.convert_to_numpy(layer.moving_mean).any()


def test_mixed_precision(random):
    x = random.normal(size=(2, 4, 4, 3)).astype("float32")
    y = BatchNorm(dtype="mixed_bfloat16")(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")), expected, atol=0.04
    )
