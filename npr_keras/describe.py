"""What is known of a model, and of what is installed, as plain values."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable

from npr_keras.errors import RunError
from npr_keras.packages import BACKENDS, NEEDED_FOR, is_installed
from npr_keras.runtimes.open import needs_keras, open_predictor
from npr_keras.versions import package_version, versions


def describe_environment(backend: str) -> dict:
    """Versions, backends, devices of the one in use, and what is missing for what."""
    return {
        "backend": backend,
        "devices": _devices(backend),
        "backends": {b: package_version(b) or "not installed" for b in BACKENDS},
        "versions": {k: v for k, v in versions().items() if k not in BACKENDS},
        "missing": {
            package: f"needed for {purpose}: pip install {line}"
            for package, (line, purpose) in NEEDED_FOR.items()
            if purpose and not is_installed(package)
        }
        or "nothing",
    }


def describe_model(path: str, opened: Callable = open_predictor) -> dict:
    """What a model file holds, and how it was trained where that lies beside it.

    Args:
        path: See `npr_keras.open_predictor`.
        opened: What opens an exported one.
    """
    if not os.path.exists(path) or not needs_keras(path):
        return _describe_exported(opened(path))
    from npr_keras.layers.representation import representation_text
    from npr_keras.models import load_detector
    from npr_keras.training.run_folder import RunFolder

    detector = load_detector(path)
    file = os.path.join(path, "model.keras") if os.path.isdir(path) else path
    run = RunFolder(os.path.dirname(os.path.abspath(file)))
    layer = detector.representation
    described = {
        "file": file,
        "size": f"{os.path.getsize(file) / 2**20:.1f} MiB",
        "representation": representation_text(type(layer).__name__, layer.get_config()),
        "backbone": detector.backbone.describe(),
        "parameters": f"{sum(math.prod(w.shape) for w in detector.trainable_weights):,} trainable",
        **_describe_profile(detector.profile),
    }
    trained = None
    with contextlib.suppress(RunError):  # another program's config.json
        trained = run.read_config()
    if trained:
        settings = trained["settings"]
        described["trained on"] = {"path": trained["source_path"], **settings["source"]}
        described["recipe"] = settings["training"]
        described["backend"] = settings["backend"]
        described["last epoch"] = (run.history() or [{}])[-1]
        described["versions"] = trained["versions"]
    return described


def _describe_exported(predictor) -> dict:
    """What an exported model says of itself."""
    facts = predictor.facts
    return {
        "file": predictor.path,
        "name": facts.name,
        "format": f"{facts.format}, {facts.quantize}",
        **_describe_profile(facts.profile),
        "made from": f"a .keras file with SHA-256 {facts.source}",
        "versions": facts.versions,
    }


def _describe_profile(profile) -> dict:
    """What is known about a model, in words where it is nothing."""
    steps = {k: v for k, v in profile.preprocessing.to_dict().items() if v not in (None, False)}
    calibration: str | dict = "not calibrated"
    if profile.calibration.images:
        calibration = {
            k: v for k, v in profile.calibration.to_dict().items() if v not in (None, "", ())
        }
    kinds = ", ".join(f"{c.kind} {c.amount:g}" if c.amount else c.kind for c in profile.robustness)
    described = {
        "pixels": steps,
        "calibration": calibration,
        "robustness": kinds or "not measured",
    }
    return {**described, "notice": profile.notice} if profile.notice else described


def _devices(backend: str) -> list[str]:
    if backend == "tensorflow":
        import tensorflow as tf

        return [d.name.removeprefix("/physical_device:") for d in tf.config.list_physical_devices()]
    if backend == "torch":
        import torch

        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return [f"CPU ({torch.get_num_threads()} threads)", *gpus]
    import jax

    return [str(device) for device in jax.devices()]
