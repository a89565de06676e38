"""About how long a run takes: a few steps, and a few images, measured."""

from __future__ import annotations

import time
from collections.abc import Sequence

import keras
import numpy as np

from npr_keras.ablation.grid import Variant
from npr_keras.ablation.plan import Plan
from npr_keras.ablation.run import detector_of
from npr_keras.config import PROTOCOLS
from npr_keras.data.records import ImageSet, Source
from npr_keras.models import Detector
from npr_keras.training.gradient import compile_detector

_STEPS, _SCORED = 3, 8


def seconds_of(variant: Variant, plan: Plan, source: Source, sets: Sequence[ImageSet]) -> float:
    """Training and judging of one run, in seconds, from random pixels of the sizes in question.

    Reading images comes on top, and the first steps' preparations: take it for the least.
    """
    keras.backend.clear_session()
    config = variant.training_config(plan.shared["training"], seed=0)
    detector = Detector(*detector_of(plan, variant))
    compile_detector(detector, config)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (config.batch_size, config.crop, config.crop, 3), np.uint8)
    labels = (np.arange(config.batch_size) % 2).astype("float32")[:, None]
    detector.train_on_batch(pixels, labels)
    begun = time.perf_counter()
    for _ in range(_STEPS):
        detector.train_on_batch(pixels, labels)
    a_step = (time.perf_counter() - begun) / _STEPS
    side = PROTOCOLS.get(variant.protocol, config.scoring).fixed_size or 256
    pictures = random.integers(0, 256, (_SCORED, side, side, 3), np.uint8)
    detector(pictures, training=False)
    begun = time.perf_counter()
    detector(pictures, training=False)
    an_image = (time.perf_counter() - begun) / _SCORED
    steps = config.epochs * -(-len(source.train) // config.batch_size)
    judged = config.epochs * len(source.val) + sum(len(s.records) for s in sets)
    return steps * a_step + judged * an_image
