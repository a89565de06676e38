import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from npr_keras.config import TrainingConfig
from npr_keras.data.folder import find_source
from npr_keras.errors import RunError, TooManyUnreadableError
from npr_keras.layers.periodogram import Periodogram
from npr_keras.locks import locked
from npr_keras.models import load_detector
from npr_keras.models.backbones.mlp import MLP
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.training import train
from npr_keras.training.run_folder import RunFolder

TINY = ResNet(blocks=(1,), width=8)
# JAX compiles for every size of a batch: there all have one.
BATCH = 6 if keras.backend.backend() == "jax" else 5
RECIPE = {"batch_size": BATCH, "resize": 36, "crop": 24, "learning_rate": 1e-3}


def run(folder, out, epochs=3, resume=False, **options):
    """Trains a tiny detector; on the pipeline that is the quicker to start, unless told."""
    options.setdefault("pipeline", "pydataset")
    config = TrainingConfig(epochs=epochs, **{**RECIPE, **options.pop("recipe", {})})
    return train(find_source(folder), config, TINY, out=out, resume=resume, **options)


def assert_same_weights(a, b):
    for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.every_backend
def test_a_stopped_run_ends_like_an_uninterrupted_one(source_folder, tmp_path):
    tf_data = {"pipeline": "tf.data"}
    whole = run(source_folder, tmp_path / "whole", 2, **tf_data)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == self.when:
                raise KeyboardInterrupt

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    stop = Stop()
    stop.when = (1, 2)
    with pytest.raises(KeyboardInterrupt):
        run(source_folder, tmp_path / "parts", 2, resume=True, callbacks=[stop], **tf_data)
    assert RunFolder(tmp_path / "parts").last_epoch() == 1
    parts = run(source_folder, tmp_path / "parts", 2, resume=True, **tf_data)
    assert_same_weights(whole.detector, parts.detector)
    for one, other in zip(whole.history, parts.history, strict=True):
        for name in ("epoch", "loss", "accuracy", "val_accuracy", "val_average_precision"):
            assert one[name] == other[name]


@pytest.mark.every_backend
def test_dropout_goes_on_where_it_was(source_folder, tmp_path):
    def one(out, epochs, resume=False):
        recipe = TrainingConfig(epochs=epochs, batch_size=6, resize=None, crop=24, seed=3)
        layer = Periodogram(8, name="spectrum")
        source = find_source(source_folder)
        return train(source, recipe, MLP((8,), 0.5), layer, out=out, resume=resume, method="lab")

    whole = one(tmp_path / "whole", 3)
    one(tmp_path / "parts", 1)
    parts = one(tmp_path / "parts", 3, resume=True)
    assert_same_weights(whole.detector, parts.detector)


def test_a_finished_run_can_be_resumed(source_folder, tmp_path):
    first = run(source_folder, tmp_path / "run", epochs=1)
    same = run(source_folder, tmp_path / "run", epochs=1, resume=True)
    assert_same_weights(first.detector, same.detector)
    longer = run(source_folder, tmp_path / "run", epochs=2, resume=True)
    assert longer.history[0] == first.history[0]
    assert len(longer.history) == 2


@pytest.mark.slow
def test_more_epochs_of_a_cosine(source_folder, tmp_path):
    """Its step sizes depend on their number: no run without a stop would end like that."""
    recipe = {"recipe": {"schedule": "cosine"}}
    run(source_folder, tmp_path / "run", epochs=1, **recipe)
    with pytest.raises(RunError, match=r"training\.epochs: was 1, now 2"):
        run(source_folder, tmp_path / "run", epochs=2, resume=True, **recipe)


def test_killed_between_history_and_checkpoint(source_folder, tmp_path):
    """The minutes of an epoch that left no checkpoint are not spent: nothing untrained is a result."""
    recipe = {"recipe": {"minutes": 5.0}}
    run(source_folder, tmp_path / "whole", epochs=1, **recipe)
    found = RunFolder(tmp_path / "killed")
    shutil.copytree(tmp_path / "whole", found.path)
    found.model.unlink()
    shutil.rmtree(found.path / "checkpoints")
    history = (found.path / "history.csv").read_text().splitlines()
    last = history[-1].rpartition(",")[0] + ",999"
    (found.path / "history.csv").write_text("\n".join([history[0], last]) + "\n")
    again = run(source_folder, found.path, epochs=1, resume=True, **recipe)
    assert len(again.history) == 1 and again.history[0]["trained_seconds"] < 300
    assert_same_weights(again.detector, load_detector(tmp_path / "whole"))


def test_a_run_from_before_a_setting_came(source_folder, tmp_path):
    """What a setting is by default is what it was before there was one."""
    run(source_folder, tmp_path / "run", epochs=1)
    file = tmp_path / "run" / "config.json"
    stored = json.loads(file.read_text())
    for name in ("blur", "blur_sigma", "jpeg", "jpeg_quality"):
        del stored["settings"]["training"][name]
    del stored["settings"]["representation"]["config"]["padding"]
    file.write_text(json.dumps(stored))
    with pytest.raises(RunError, match=r"training.jpeg: was 0.0, now 0.5"):
        run(source_folder, tmp_path / "run", epochs=2, resume=True, recipe={"jpeg": 0.5})
    assert len(run(source_folder, tmp_path / "run", epochs=2, resume=True).history) == 2


@pytest.mark.every_backend
def test_minutes_end_a_run_within_an_epoch(source_folder, tmp_path, monkeypatch):
    """Each step takes half a minute here; the first one, which builds the graph, counts nothing."""
    clock = [0.0]

    class Slow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            clock[0] += 30

    monkeypatch.setattr("npr_keras.training.keeper.time.perf_counter", lambda: clock[0])
    options = {"recipe": {"minutes": 2.0, "batch_size": 6}, "callbacks": [Slow()]}
    found = run(source_folder, tmp_path / "run", 50, **options)
    steps = 24 // 6
    assert [row["epoch"] for row in found.history] == [1, 2]
    assert [row["trained_seconds"] for row in found.history] == [90, 120]
    assert found.history[0]["images_per_second"] == pytest.approx(24 / (30 * steps))
    assert found.history[1]["images_per_second"] == pytest.approx(6 / 30)
    assert "50 epochs or 2 minutes" in (tmp_path / "run" / "README.md").read_text()
    again = run(source_folder, tmp_path / "run", 50, resume=True, **options)
    assert len(again.history) == 2
    assert_same_weights(found.detector, again.detector)


@pytest.mark.every_backend
def test_what_a_run_leaves(source_folder, tmp_path):
    out = tmp_path / "run"
    result = run(source_folder, out, epochs=2)
    names = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    assert names == [
        ".training.lock",
        "README.md",
        "checkpoints/0002.keras",
        "config.json",
        "history.csv",
        "model.keras",
    ]
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    loaded = load_detector(out)
    np.testing.assert_array_equal(loaded.predict_on_batch(x), result.detector.predict_on_batch(x))
    assert not loaded.compiled
    with open(out / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) == pytest.approx(result.history[1]["loss"])
    settings = json.loads((out / "config.json").read_text())
    assert settings["settings"]["training"]["seed"] == 100
    assert settings["versions"]["libjpeg-turbo"]
    card = (out / "README.md").read_text()
    assert "12 real and 12 generated images, classes cat, dog" in card
    assert "What it cannot do" in card


@pytest.mark.every_backend
def test_it_learns(source_folder, tmp_path):
    # Random noise against 2 x 2 blocks: NPR's own case.
    result = run(
        source_folder, tmp_path / "run", epochs=12, recipe={"learning_rate": 3e-3, "resize": None}
    )
    assert result.history[-1]["loss"] < 0.3
    assert result.history[-1]["accuracy"] > 0.9


@pytest.mark.every_backend
def test_half_precision(source_folder, tmp_path):
    result = run(source_folder, tmp_path / "run", epochs=1, recipe={"precision": "mixed_bfloat16"})
    assert result.detector.get_layer("layer1_0_conv1").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    assert load_detector(tmp_path / "run").get_layer("layer1_0_conv1").compute_dtype == "float32"


def test_half_precision_resumes(source_folder, tmp_path):
    half = {"precision": "mixed_bfloat16"}
    run(source_folder, tmp_path / "run", epochs=1, recipe=half)
    resumed = run(source_folder, tmp_path / "run", epochs=2, resume=True, recipe=half)
    assert resumed.detector.get_layer("layer1_0_conv1").compute_dtype == "bfloat16"


@pytest.mark.every_backend
def test_both_pipelines_train_the_same_weights(source_folder, tmp_path):
    a = run(source_folder, tmp_path / "a", epochs=2, pipeline="tf.data")
    b = run(source_folder, tmp_path / "b", epochs=2, pipeline="pydataset")
    assert_same_weights(a.detector, b.detector)


def test_decoded_images_train_the_same_weights(source_folder, tmp_path):
    a = run(source_folder, tmp_path / "a", epochs=2)
    seen = []
    told = {"cache": tmp_path / "cache", "preparing": lambda *told: seen.append(told)}
    b = run(source_folder, tmp_path / "b", epochs=2, **told)
    assert_same_weights(a.detector, b.detector)
    assert seen[-1] == ("decoding", 24, 24)


def test_two_processes_in_one_folder(source_folder, tmp_path):
    lock = locked(tmp_path / "run", "training", name=".training.lock")
    with lock, pytest.raises(RunError, match="another process is training there"):
        run(source_folder, tmp_path / "run", epochs=1)
    assert run(source_folder, tmp_path / "run", epochs=1).history


def test_seeds_differ(source_folder, tmp_path):
    a = run(source_folder, tmp_path / "a", epochs=1)
    b = run(source_folder, tmp_path / "b", epochs=1, recipe={"seed": 1})
    assert a.history[0]["loss"] != b.history[0]["loss"]


def test_unreadable_images_are_named_not_fatal(source_folder, tmp_path):
    broken = source_folder / "train" / "cat" / "0_real" / "000.png"
    broken.write_bytes(b"no image")
    result = run(source_folder, tmp_path / "run", epochs=2)
    assert list(result.unreadable) == [str(broken)]
    assert "| unreadable images | 1 |" in (tmp_path / "run" / "README.md").read_text()


@pytest.mark.parametrize("pipeline", ["tf.data", "pydataset"])
def test_too_many_unreadable_images(source_folder, tmp_path, pipeline):
    for i in range(4):
        (source_folder / "train" / "cat" / "0_real" / f"00{i}.png").write_bytes(b"no image")
    with pytest.raises(TooManyUnreadableError, match=r"2 of 32 images .* limit of 1"):
        run(source_folder, tmp_path / "run", pipeline=pipeline)


def test_the_limit_may_be_raised_on_resuming(source_folder, tmp_path):
    for i in range(4):
        (source_folder / "train" / "cat" / "0_real" / f"00{i}.png").write_bytes(b"no image")
    with pytest.raises(TooManyUnreadableError):
        run(source_folder, tmp_path / "run", epochs=1)
    result = run(source_folder, tmp_path / "run", epochs=1, recipe={"max_unreadable": 0.2})
    assert len(result.unreadable) == 4


def test_validation_images_that_come_later(source_folder, tmp_path):
    source = tmp_path / "only"
    source.mkdir()
    (source_folder / "train").rename(source / "train")
    run(source, tmp_path / "run", epochs=1)
    (source_folder / "val").rename(source / "val")
    history = run(source, tmp_path / "run", epochs=2, resume=True).history
    assert "val_accuracy" not in history[0]
    assert 0 <= history[1]["val_accuracy"] <= 1


def test_a_record_says_how_the_run_began(source_folder, tmp_path):
    run(source_folder, tmp_path / "run", epochs=1)
    file = tmp_path / "run" / "config.json"
    file.write_text(file.read_text().replace(keras.__version__, "3.0.0"))
    run(source_folder, tmp_path / "run", epochs=2, resume=True)
    assert json.loads(file.read_text())["versions"]["keras"] == "3.0.0"
    (tmp_path / "run" / "history.csv").unlink()
    with pytest.raises(RunError, match="has 0 epochs, the checkpoint 2"):
        run(source_folder, tmp_path / "run", epochs=3, resume=True)


def test_a_run_is_not_overwritten_or_mixed(source_folder, tmp_path):
    run(source_folder, tmp_path / "run", epochs=1)
    before = (tmp_path / "run" / "model.keras").read_bytes()
    with pytest.raises(RunError, match="already holds a training run"):
        run(source_folder, tmp_path / "run")
    with pytest.raises(RunError, match=r"training\.seed: was 100, now 7"):
        run(source_folder, tmp_path / "run", resume=True, recipe={"seed": 7})
    (source_folder / "train" / "cat" / "0_real" / "000.png").unlink()
    with pytest.raises(RunError, match=r"source\.fingerprint: was"):
        run(source_folder, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "model.keras").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.keras").write_bytes(before)
    with pytest.raises(RunError, match="was not trained there"):
        run(source_folder, tmp_path / "other")


def test_resuming_to_fewer_epochs(source_folder, tmp_path):
    run(source_folder, tmp_path / "run", epochs=2)
    with pytest.raises(RunError, match="has done 2 epochs, more than the 1"):
        run(source_folder, tmp_path / "run", epochs=1, resume=True)


def test_a_loss_that_is_no_number_stops_training(source_folder, tmp_path):
    run(source_folder, tmp_path / "run", epochs=1)

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.get_layer("fc1").bias.assign([np.nan])

    with pytest.raises(RunError, match="diverged in epoch 2: the loss is nan"):
        run(source_folder, tmp_path / "run", epochs=2, resume=True, callbacks=[Spoil()])
    assert RunFolder(tmp_path / "run").last_epoch() == 1


def test_a_folder_with_another_config(source_folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"name": "something else"}')
    with pytest.raises(RunError, match="not the configuration of a training run"):
        run(source_folder, tmp_path / "run", resume=True)


KILLED = """
import sys
from npr_keras.config import TrainingConfig
from npr_keras.models.backbones.mlp import MLP
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.data.folder import find_source
from npr_keras.training import train
config = TrainingConfig(epochs=14, batch_size=2, resize=36, crop=24)
train(find_source(sys.argv[1]), config, ResNet(blocks=(1,), width=8), out=sys.argv[2], resume=True, pipeline="pydataset")
"""


@pytest.mark.slow
def test_killed_at_random_moments(source_folder, tmp_path):
    def start(out):
        # torch and Pillow alone are the quickest to start; TensorFlow is stopped and resumed above
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, source_folder, out],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "KERAS_BACKEND": "torch"},
        )

    assert start(tmp_path / "whole").wait() == 0
    random = np.random.default_rng(int(time.time()))
    killed = []
    for _ in range(3):
        process = start(tmp_path / "killed")
        before = RunFolder(tmp_path / "killed").last_epoch()
        while RunFolder(tmp_path / "killed").last_epoch() < before + 2 and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed.append(RunFolder(tmp_path / "killed").last_epoch())
    assert killed[-1] < 14, "finished before the third kill"
    assert start(tmp_path / "killed").wait() == 0
    assert_same_weights(load_detector(tmp_path / "whole"), load_detector(tmp_path / "killed"))
    leftovers = [p for p in Path(tmp_path, "killed").rglob(".*") if p.suffix == ".keras"]
    assert not [p for p in leftovers if p.parent.name == "checkpoints"]
