"""Speed of the detector on one backend, beside plain PyTorch in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from npr_keras.bench.machine import gemm_rate, gemm_step, operations
from npr_keras.config import TrainingConfig
from npr_keras.models import Detector
from npr_keras.runtimes.open import open_predictor
from npr_keras.training.gradient import compile_detector

_KERAS = "npr-keras"
_PLAIN = {"plain PyTorch, channels first": False, "plain PyTorch, channels last": True}


def measure(
    task: str,
    batch_size: int,
    size: int,
    steps: int,
    rounds: int,
    precision: str = "float32",
    models: Sequence[str] = (),
) -> dict:
    """Images a second of the detector and of plain PyTorch, where that is installed, and their limit.

    The contenders take turns, `rounds` times `steps` steps each, after two steps to warm up; the
    median over the rounds counts. Among them is a product of large matrices in the same precision: the
    rate of its multiplications, over those that the detector needs, is what no implementation of
    the same operations can exceed. Batches are random pixels that are ready in memory: this
    measures the network, not the loading of images.

    Args:
        task: `"train"` (forward, backward, Adam) or `"score"` (forward).
        batch_size, size: Images a step, and their side in pixels.
        steps, rounds: How much is measured.
        precision: As for `TrainingConfig`; plain PyTorch autocasts to the same dtype.
        models: For `"score"`: exported models, or any that `open_predictor` takes, to be measured
            instead of a new detector.

    Returns:
        Dict: "images_per_second", by contender, ours first, the median; "spread", by contender, the
        lowest and the highest; "limit": "images_per_second" of it, "operations" a second, those an
        "image" needs, and what "multiplied"; None where nothing here multiplies in that precision.
    """
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (batch_size, size, size, 3), np.uint8)
    labels = (np.arange(batch_size) % 2).astype("float32")
    if models:
        contenders = {model: _predictor_step(model, pixels) for model in models}
    else:
        contenders = {_KERAS: keras_step(task, pixels, labels, precision)}
    try:
        import torch  # noqa: F401
    except ImportError:
        pass
    else:
        for name, channels_last in _PLAIN.items():
            contenders[name] = _torch_step(task, pixels, labels, precision, channels_last)
    kind = {"mixed_bfloat16": "bfloat16"}.get(precision, precision)
    product = gemm_step(kind) if kind in ("float32", "bfloat16", "int8") else None
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    products: list[float] = []
    if product:
        product[1]()
    for step in contenders.values():
        step()
        step()
    for _ in range(rounds):
        for name, step in contenders.items():
            started = time.perf_counter()
            for _ in range(steps):
                step()
            rates[name].append(steps * batch_size / (time.perf_counter() - started))
        if product:
            started = time.perf_counter()
            product[1]()
            products.append(gemm_rate(time.perf_counter() - started))
    return {
        "images_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "spread": {name: [min(values), max(values)] for name, values in rates.items()},
        "limit": _limit(task, size, product[0], products) if product else None,
    }


def _limit(task: str, size: int, multiplied: str, products: list[float]) -> dict:
    # Backwards there are two products for each one forwards: for the weights, and for what is below.
    image = operations(Detector(), size) * (3 if task == "train" else 1)
    rate = statistics.median(products)
    return {
        "images_per_second": rate / image,
        "operations": rate,
        "image": image,
        "multiplied": multiplied,
    }


def _predictor_step(model: str, pixels) -> Callable[[], object]:
    predictor = open_predictor(model)
    return lambda: predictor.predict(pixels)


def keras_step(task, pixels, labels, precision) -> Callable[[], object]:
    """One step of the default detector, of `measure`'s tasks, on a batch that is ready."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        detector = Detector()
    finally:
        keras.config.set_dtype_policy(previous)
    if task == "score":
        return lambda: detector.predict_on_batch(pixels)
    compile_detector(detector, TrainingConfig(precision=precision))
    return lambda: detector.train_on_batch(pixels, labels[:, None])


def _torch_step(task, pixels, labels, precision, channels_last) -> Callable[[], object]:
    import torch

    from npr_keras.bench.plain_torch import PlainDetector, training_step

    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    half = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}.get(precision)
    model = PlainDetector().to(device, memory_format=layout)  # type: ignore[call-overload]
    config = TrainingConfig()
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)

    def batch():
        x = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2)
        return x.contiguous(memory_format=layout), torch.from_numpy(labels).to(device)

    def train():
        images, answers = batch()
        return training_step(model, optimizer, images, answers, half).item()

    def score():
        with torch.no_grad(), torch.autocast(device, half, enabled=half is not None):
            return model(batch()[0]).float().cpu()

    if task == "score":
        model.eval()
        return score
    return train
