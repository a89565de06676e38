"""Training by the official recipe, epoch by epoch, so that it can stop and go on anywhere."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from npr_keras.config import PROTOCOLS, Preprocessing, TrainingConfig
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.decoded import DecodedImages
from npr_keras.data.pipeline import for_fit
from npr_keras.data.records import Source, count_labels
from npr_keras.data.unreadable import Unreadable
from npr_keras.detectors import get_method, recipe_of
from npr_keras.errors import ConfigError, NPRKerasError
from npr_keras.locks import locked
from npr_keras.models import Detector
from npr_keras.models.accuracy import accuracy
from npr_keras.models.backbones.base import Backbone
from npr_keras.models.files import file_digest
from npr_keras.profile import ModelProfile
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.scoring.records import score_records
from npr_keras.simulation.plan import is_simulated
from npr_keras.training.drawn import Drawn
from npr_keras.training.keeper import EpochKeeper
from npr_keras.training.linear import FeatureFolder, fit_head
from npr_keras.training.methods import begin, detector_for, pixels_of, require_size
from npr_keras.training.model_card import model_card
from npr_keras.training.positive import require_positive, stay_positive
from npr_keras.training.run_folder import RunFolder
from npr_keras.versions import versions


def validation_protocol(config: TrainingConfig) -> Preprocessing:
    """How validation images become pixels: as the official code has it, or never resized."""
    return PROTOCOLS["resize256_centercrop224" if config.resize else "centercrop"]


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves.

    Attributes:
        detector: The trained `Detector`.
        path: Its folder.
        history: One dict an epoch.
        unreadable: Dict from path to what was wrong with an image.
    """

    detector: Detector
    path: str
    history: list[dict]
    unreadable: dict[str, str]


def train(
    source: Source,
    config: TrainingConfig | None = None,
    backbone: Backbone | None = None,
    representation: keras.layers.Layer | None = None,
    preprocessing: Preprocessing | None = None,
    out: str | os.PathLike = "saved_models/npr",
    resume: bool = False,
    pipeline: str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    method: str = "npr",
    weights: str | os.PathLike | None = None,
    cache: str | os.PathLike | None = None,
    preparing: Callable[[str, int, int], None] | None = None,
) -> TrainingResult:
    """Trains a detector and writes it to a folder.

    Same source, settings, backend and machine: on a CPU the same weights, however often killed.

    Args:
        source: What to train on, see `find_source`.
        config: The recipe. Default: the method's.
        backbone, representation: As for `Detector`. Default: the method's.
        preprocessing: How the detector makes its pixels when it scores. Default: the method's.
        out, resume: The run's folder, see `RunFolder`; whether to go on with a run that is there.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.
        callbacks: Keras callbacks. At an epoch's end their `logs` hold the row of the history.
        method: One of `npr_keras.detectors.DETECTORS`: how it is fitted, and what None stands for.
        weights: A PyTorch checkpoint to begin with, see `npr_keras.training.methods.begin`.
        cache: A folder for decoded images, see `DecodedImages`.
        preparing: Called before the first epoch with what is being done, how much, and of how much.

    Raises:
        ConfigError: If there is no such method, or it takes images of another size than the recipe's.
        RunError: If the folder does not allow it, another process trains there, or training diverged.
        TooManyUnreadableError: If more images are unreadable than `config` allows.

    Example:
        >>> recipe = TrainingConfig(epochs=1, resize=None, crop=32)
        >>> result = train(find_source("my_source"), recipe, ResNet(blocks=(1,), width=8), out="mine")
        >>> result.detector.preprocessing.name, len(result.history)
        ('native', 1)
    """
    row = get_method(method)
    config, run = recipe_of(row, config), RunFolder(out)
    # An ablation holds the folder's own lock meanwhile.
    with locked(out, "training", name=".training.lock"), _precision(config.precision):
        keras.utils.set_random_seed(config.seed)
        own = preprocessing or pixels_of(row, config)
        profile = ModelProfile(own, simulated=is_simulated(source))
        detector = detector_for(row, backbone, representation, profile)
        require_size(detector, config)
        settings = _settings(source, config, detector, method, weights)
        done = run.begin(settings, resume)
        detector = run.load_checkpoint() if done else compile_detector(detector, config)
        unreadable = Unreadable(len(source.train) + len(source.val), config.max_unreadable)
        is_over = done == config.epochs or (done > 0 and run.is_over(config.minutes))
        if not (is_over and run.is_finished()):
            decoded = _decoded(cache, source.train, config, preparing)
            images = TrainingImages(source.train, config, unreadable, decoded)
            if not is_over:
                if not done:
                    begin(detector, images, pipeline, weights)
                kept = run.features(settings)
                drawn = _drawn(row, detector, images, kept / "draws", preparing)
                told = [_keeper(run, detector, images, source.val, drawn, pipeline), *callbacks]
                if row.fitted == "features":
                    fit_head(detector, images, FeatureFolder(kept), told, pipeline)
                else:
                    _fit(detector, images, drawn, done, told, pipeline)
            if config.stay_positive:
                stay_positive(detector, images)
            known = run.read_config() or settings
            run.finish(detector, model_card(known, run.history(), unreadable.reasons))
    return TrainingResult(detector, os.fspath(out), run.history(), unreadable.reasons)


@contextlib.contextmanager
def _precision(policy: str):
    """Keras' dtype policy, for a while."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def compile_detector(model: keras.Model, config: TrainingConfig, optimizer=None):
    """Gives a detector, or a part of one, the recipe's loss and optimizer, or one that is there.

    Returns it.

    XLA is left to JAX, which needs it: on a CPU it makes TensorFlow's training three times slower.
    """
    model.compile(
        optimizer=optimizer
        or keras.optimizers.Adam(
            config.learning_rate, config.beta_1, config.beta_2, config.epsilon
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[accuracy],
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def _decoded(cache, records, config, preparing) -> DecodedImages | None:
    """The images of a cache; None without one."""
    if not cache:
        return None
    progress = preparing and functools.partial(preparing, "decoding")
    return DecodedImages(cache, records, config.resize, progress)


def _drawn(row, detector, images, folder, preparing) -> Drawn | None:
    """What is kept of the draws, where there are some; what an option cannot do is said first."""
    if images.config.stay_positive:
        require_positive(detector, images)
    if not images.config.draws:
        return None
    if row.fitted != "gradient":
        raise ConfigError(f"draws: {row.title} is fitted on images as they are, and draws nothing.")
    return Drawn(detector, images, folder, preparing)


def _fit(detector, images, drawn, done, callbacks, pipeline):
    """By gradient; only what is behind the representation where that is `drawn`."""
    model, epochs, side = detector, images.config.epochs, images.config.crop
    shape, dtype = (side, side, 3), "uint8"
    if drawn:
        model, shape, dtype = drawn.tail, drawn.shape, "float32"
        compile_detector(model, images.config, detector.optimizer)
    batches = drawn.batches(done, epochs) if drawn else images.batches(done, epochs, pipeline)
    try:
        model.fit(
            for_fit(batches, shape, dtype),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=len(images),
            shuffle=False,  # the plan of the epoch has done that
            verbose=0,
            callbacks=callbacks,
        )
    except NPRKerasError:
        raise
    except Exception:
        # A data pipeline wraps what is raised inside it.
        if images.unreadable.error:
            raise images.unreadable.error from None
        raise


def _what_came(weights) -> str:
    """Of weights to begin with: a file's digest; a folder's path, as it is not copied."""
    return os.path.abspath(weights) if os.path.isdir(weights) else file_digest(weights)


def _keeper(run, detector, images, records, drawn, pipeline) -> EpochKeeper:
    """What keeps every epoch, and judges it where there are images to validate on."""
    keeper = EpochKeeper(run, detector, images)
    if records:
        keeper.labels = records
        keeper.judge = (
            drawn.judge(records) if drawn else _judge(detector, images, records, pipeline)
        )
    return keeper


def _judge(detector, images, records, pipeline) -> Callable[[], np.ndarray]:
    """What scores images with the weights as they are."""
    # A network that does not take every size is validated on what it is scored on.
    own = detector.side or detector.least > 2
    pixels = detector.preprocessing if own else validation_protocol(images.config)
    config = images.config
    return lambda: score_records(
        KerasPredictor(detector), records, pixels, images.unreadable, config.batch_size, pipeline
    )


def _settings(
    source: Source, config: TrainingConfig, detector: Detector, method: str, weights
) -> dict:
    """What decides a run, under "settings", and what describes the machine it began on."""
    real, fake = count_labels(source.train)
    parts = detector.get_config()
    layer = parts["representation"]
    settings = {
        "source": {
            "classes": source.classes,
            "real": real,
            "fake": fake,
            "fingerprint": source.fingerprint(),
        },
        "method": method,
        "training": config.to_dict(),
        "detector": parts["backbone"],
        "preprocessing": detector.preprocessing.to_dict(),
        "simulated": detector.profile.simulated,
        "representation": {"class_name": layer["class_name"], "config": layer["config"]},
        "backend": keras.backend.backend(),
        **({"weights": _what_came(weights)} if weights else {}),
    }
    return {
        "settings": json.loads(json.dumps(settings)),  # tuples become lists, as they come back
        "source_path": os.path.abspath(source.root),
        "versions": versions(),
    }
