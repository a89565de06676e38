"""The arithmetic of training, against plain PyTorch."""

import numpy as np
import pytest
from conftest import BACKENDS

from npr_keras.config import TrainingConfig
from npr_keras.errors import ConfigError

# Some gradients are zero but for rounding (a bias before a convolution that the next batch norm
# makes up for), and Adam's first steps turn the sign of that rounding into a full step. So in
# float32 the twelfth loss moves by 0.4 %, in the official code too when its memory layout changes.
# Here both compute in float64, with constants that make Adam the same: an epsilon above the
# rounding and below the gradients (Keras adds it before the bias correction, PyTorch after it), and
# betas that float32 holds exactly (Keras rounds them).
SCRIPT = """
import sys
import numpy as np, torch, keras
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
from npr_keras.bench.plain_torch import PlainDetector, training_step
from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD, TrainingConfig
from npr_keras.models import Detector
from npr_keras.models.official import name_map, from_pytorch_axes
from npr_keras.training.gradient import compile_detector

torch.manual_seed(0)
plain = PlainDetector().double()
for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
    setattr(plain, name, torch.tensor(values, dtype=torch.float64).view(3, 1, 1))
detector = Detector()
state = plain.state_dict()
for name, (variable, kind) in name_map(detector).items():
    variable.assign(from_pytorch_axes(state[name].numpy(), kind, variable.shape))
config = TrainingConfig(epsilon=1e-12, beta_1=0.875, beta_2=1 - 2**-10)
compile_detector(detector, config)
optimizer = torch.optim.Adam(plain.parameters(), config.learning_rate, (config.beta_1, config.beta_2), config.epsilon)

random = np.random.default_rng(0)
for step in range(6):
    images = random.integers(0, 256, (4, 32, 32, 3), np.uint8)
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    detector.reset_metrics()
    ours = float(detector.train_on_batch(images, labels[:, None])[0])
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).double()
    theirs = float(training_step(plain, optimizer, pixels, torch.from_numpy(labels)))
    assert abs(ours / theirs - 1) < 2e-7, (step, ours, theirs)
plain.eval()
with torch.no_grad():
    expected = plain(pixels).numpy()
np.testing.assert_allclose(detector.predict_on_batch(images)[:, 0], expected, rtol=1e-5)
print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_equal_pytorch_in_float64(run_python, backend):
    done = run_python(SCRIPT, backend, env={"JAX_ENABLE_X64": "1"})
    assert done.stdout.strip() == "equal"


def test_learning_rate_falls_as_in_the_official_code():
    config = TrainingConfig(epochs=52)
    rate = 2e-4
    for epoch in range(52):
        assert config.learning_rate_at(epoch) == pytest.approx(rate, rel=1e-12)
        if epoch in (10, 20, 30, 40, 50):  # at the end of these, counted from 0
            rate *= 0.9


def test_defaults_are_the_official_recipe():
    config = TrainingConfig()
    assert (config.learning_rate, config.beta_1, config.beta_2, config.epsilon) == (
        2e-4,
        0.9,
        0.999,
        1e-8,
    )
    assert (config.batch_size, config.epochs, config.seed) == (32, 50, 100)
    assert (config.resize, config.crop, config.flip) == (256, 224, 0.5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs.*positive integer.*epochs=0"),
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"precision": "float16"}, "one of float32, mixed_bfloat16"),
        ({"resize": 200}, "at least the crop's 224"),
        ({"flip": 2}, "flip=2"),
        ({"seed": -1}, "seed=-1"),
        ({"jpeg": 1.5}, "jpeg=1.5"),
        ({"jpeg_quality": (90, 30)}, "from 1 to 100, the smaller one first"),
        ({"jpeg_quality": (30.5, 90)}, "jpeg_quality"),
        ({"blur_sigma": (-1.0, 3)}, "blur_sigma"),
        ({"blur_sigma": 3.0}, "blur_sigma"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**values)


def test_settings_survive_json():
    import json

    config = TrainingConfig(epochs=3, resize=None, jpeg=0.5, jpeg_quality=(75, 90))
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ConfigError, match=r"unknown field epoch\."):
        TrainingConfig.from_dict({"epoch": 3})


def test_labels_and_logits_agree_on_accuracy():
    from npr_keras.training.gradient import accuracy

    right = np.asarray(accuracy(np.array([[0.0], [1.0], [1.0]]), np.array([[-1.0], [2.0], [0.0]])))
    assert right.ravel().tolist() == [1, 1, 0]
