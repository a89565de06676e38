"""Speed of the detector on one backend, beside plain PyTorch in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from npr_keras.bench.machine import gemm_rate, gemm_steps, operations
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
    median over the rounds counts. Among them are products of large matrices in each one's precision: the
    fastest library's rate of multiplications, over those that the detector needs, is what no
    implementation of the same operations exceeds by much. Batches are random pixels that are ready in memory: this
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
        lowest and the highest; "limits", by precision: "images_per_second", "operations" a second,
        those an "image" needs, and what "multiplied"; and each contender's "precision".
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
    kinds = {name: _KINDS.get(precision, precision) for name in contenders}
    kinds |= {model: _kind_of(model) for model in models}
    products = {(k, n): s for k in dict.fromkeys(kinds.values()) for n, s in gemm_steps(k).items()}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    multiplied: dict[tuple[str, str], list[float]] = {key: [] for key in products}
    for step in (*products.values(), *contenders.values()):
        step()
        step()
    for _ in range(rounds):
        for name, step in contenders.items():
            started = time.perf_counter()
            for _ in range(steps):
                step()
            rates[name].append(steps * batch_size / (time.perf_counter() - started))
        for key, product in products.items():
            multiplied[key].append(max(_timed(product) for _ in range(_PRODUCTS)))
    return {
        "images_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "spread": {name: [min(values), max(values)] for name, values in rates.items()},
        "limits": _limits(task, size, multiplied),
        "precision": kinds,
    }


def _timed(product: Callable[[], object]) -> float:
    started = time.perf_counter()
    product()
    return gemm_rate(time.perf_counter() - started)


_PRODUCTS = 8  # a round; other runtimes' threads are still about at the first ones
_KINDS = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


def _kind_of(model: str) -> str:
    """What a model's arithmetic is reduced to."""
    facts = getattr(open_predictor(model), "facts", None)
    return {"bf16": "bfloat16", "int8": "int8"}.get(facts.quantize if facts else "", "float32")


def _limits(task: str, size: int, multiplied: dict[tuple[str, str], list[float]]) -> dict:
    # Backwards there are two products for each one forwards: for the weights, and for what is below.
    image = operations(Detector(), size) * (3 if task == "train" else 1)
    found: dict[str, dict] = {}
    for (kind, library), rates in multiplied.items():
        rate = statistics.median(rates)
        if rate > found.get(kind, {"operations": 0.0})["operations"]:
            found[kind] = {
                "images_per_second": rate / image,
                "operations": rate,
                "image": image,
                "multiplied": library,
            }
    return found


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
