"""Training on representations that are computed once."""

import keras
import numpy as np
import pytest

from npr_keras.config import TrainingConfig
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.folder import find_source
from npr_keras.data.unreadable import Unreadable
from npr_keras.detectors import DETECTORS
from npr_keras.errors import ConfigError
from npr_keras.layers.cyclic import CyclicSpectrum
from npr_keras.layers.npr import NPR
from npr_keras.models.backbones.mlp import MLP
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.training import train
from npr_keras.training.drawn import Drawn
from npr_keras.training.methods import begin, detector_for

RECIPE = {"batch_size": 6, "crop": 24, "resize": None, "jpeg": 0.5, "draws": 2, "seed": 3}


def run(source, out, epochs, resume=False, **recipe):
    config = TrainingConfig(**{**RECIPE, **recipe}, epochs=epochs)
    layer = CyclicSpectrum(16, name="spectrum")
    return train(
        find_source(source), config, MLP((8,)), layer, out=out, resume=resume, method="lab"
    )


@pytest.mark.every_backend
def test_what_is_kept(source_folder, tmp_path):
    """Beside the layer on the batches that training would meet; pairs of rows stay together."""
    records = find_source(source_folder).train
    config = TrainingConfig(**RECIPE)
    images = TrainingImages(records, config, Unreadable(len(records), 0.5))
    detector = detector_for(DETECTORS["lab"], MLP((8,)), CyclicSpectrum(16, name="spectrum"))
    begin(detector, images, "pydataset")
    told = []
    drawn = Drawn(detector, images, tmp_path / "kept", lambda *one: told.append(one))
    assert told[3] == ("draw 1 of 2", 4, 4) and told[-1] == ("draw 2 of 2", 4, 4)
    for draw, (values, labels) in enumerate(drawn.draws):
        batches = images.batches(draw, draw + 1, "pydataset")
        for i in range(len(images)):
            pixels, answers = batches[i]
            expected = keras.ops.convert_to_numpy(
                detector.representation(detector_pixels(detector, pixels))
            )
            part = slice(6 * i, 6 * i + 6)
            np.testing.assert_allclose(values[part], expected, atol=2e-2, rtol=1e-3)
            np.testing.assert_array_equal(labels[part], answers)
    batches = drawn.batches(0, 4)
    for epoch in range(4):
        met = np.concatenate([batches[4 * epoch + i][0] for i in range(4)])
        values = np.asarray(drawn.draws[epoch % 2][0], np.float32)
        rows = [int(np.flatnonzero((values == one).all(1))[0]) for one in met]
        assert sorted(rows) == list(range(24))
        assert all(rows[i + 1] == rows[i] + 1 and rows[i] % 2 == 0 for i in range(0, 24, 2))
    judged = drawn.judge(records)()
    own = detector.predict(np.stack([load(r, detector) for r in records]), verbose=0)[:, 0]
    np.testing.assert_allclose(judged, own, atol=1e-4)


def detector_pixels(detector, pixels):
    return keras.Model(detector.input, detector.representation.input)(pixels)


def load(record, detector):
    from npr_keras.data.decode import load

    return load(record.path, detector.preprocessing)


@pytest.mark.every_backend
def test_killed_and_resumed(source_folder, tmp_path):
    whole = run(source_folder, tmp_path / "whole", 4)
    killed = tmp_path / "killed"

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    config = TrainingConfig(**RECIPE, epochs=4)
    arguments = (find_source(source_folder), config, MLP((8,)), CyclicSpectrum(16, name="spectrum"))
    with pytest.raises(KeyboardInterrupt):
        train(*arguments, out=killed, method="lab", callbacks=[Kill()])
    kept = list(killed.glob("features-*/draws/*.f16"))
    assert len(kept) == 2
    kept[1].write_bytes(kept[1].read_bytes() + b"half a row")  # beyond what the index knows
    again = run(source_folder, killed, 4, resume=True)
    for a, b in zip(whole.detector.get_weights(), again.detector.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [r["loss"] for r in whole.history] == [r["loss"] for r in again.history]
    assert not list(killed.glob("features-*"))  # not needed any more


def test_unreadable_images_leave_rows_out(source_folder, tmp_path):
    broken = source_folder / "train" / "cat" / "0_real" / "000.png"
    broken.write_bytes(b"no image")
    found = run(source_folder, tmp_path / "run", 3, max_unreadable=0.5)
    assert list(found.unreadable) == [str(broken)] and len(found.history) == 3


def test_fewer_epochs_than_draws(source_folder, tmp_path):
    """What no epoch meets is not computed."""
    config = TrainingConfig(**{**RECIPE, "draws": 5}, epochs=2)
    told = []
    layer = CyclicSpectrum(16, name="spectrum")
    train(find_source(source_folder), config, MLP((8,)), layer, out=tmp_path / "run", method="lab",
          preparing=lambda *one: told.append(one))  # fmt: skip
    assert told[-1] == ("draw 2 of 2", 4, 4)


def test_what_draws_nothing(source_folder, tmp_path):
    config = TrainingConfig(batch_size=6, crop=256, draws=1, epochs=1)
    with pytest.raises(ConfigError, match=r"draws: Durall.* is fitted on images as they are"):
        train(find_source(source_folder), config, out=tmp_path / "run", method="durall")


def test_a_representation_that_cannot_be_kept(source_folder, tmp_path):
    with pytest.raises(ConfigError, match="draws: keeps what a representation without weights"):
        config = TrainingConfig(**RECIPE, epochs=1)
        small = ResNet(blocks=(1,), width=8)
        train(find_source(source_folder), config, small, NPR(), out=tmp_path / "run")
