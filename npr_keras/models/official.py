"""Weights to and from the official PyTorch checkpoints.

The network is the same, so this is a matter of names and of axes: PyTorch keeps a convolution as
(out, in, h, w) and a dense kernel as (out, in), Keras as (h, w, in, out) and (in, out).
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from npr_keras.atomic import replacing
from npr_keras.errors import CheckpointError
from npr_keras.layers.npr import NPR
from npr_keras.models.backbones.base import make_backbone
from npr_keras.packages import import_needed

# Steps that PyTorch's batch norm has counted. Nothing reads it at momentum 0.1.
_COUNTER = "num_batches_tracked"
_WRAPPERS = ("model", "state_dict", "model_state_dict", "net", "network", "weights")
_PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
)  # of DataParallel, torch.compile, and holders


def name_map(detector) -> dict[str, tuple[Any, str]]:
    """Official parameter names, in the official order, to a detector's variables.

    Args:
        detector: A `Detector`, of any depth and width.

    Returns:
        Dict from the PyTorch name to the Keras variable and the kind of its axes: `"conv"`,
        `"depthwise"`, `"dense"`, `"plain"`, or `"vector"`.
    """
    names: dict[str, tuple[Any, str]] = {}
    position = detector.backbone.official_position
    for layer in sorted(detector.layers, key=lambda layer: position(layer.name)):
        names |= detector.backbone.official_parameters(layer)
    return names


def to_state_dict(detector) -> dict[str, np.ndarray]:
    """A detector's weights under their official names: float32 arrays, axes as in PyTorch.

    Raises:
        CheckpointError: If it is not the official detector. A state dict holds weights alone, so
            another window, reference or trunk would be lost.
    """
    _require_official(detector)
    state = {}
    for name, (variable, kind) in name_map(detector).items():
        state[name] = _to_official(_numpy(variable), kind)
        if name.endswith(".running_var"):
            state[name.replace("running_var", _COUNTER)] = np.array(0, np.int64)
    return state


def from_state_dict(
    detector, state: Mapping[str, np.ndarray], fake_class: int | None = None
) -> None:
    """Sets a detector's weights from an official state dict.

    Args:
        detector: A `Detector`; changed only if everything fits.
        state: Names to arrays.
        fake_class: Which of two outputs says generated; None for a last layer with one.

    Raises:
        CheckpointError: Naming every missing and unexpected key and every wrong shape.
    """
    names = name_map(detector)
    given = {_bare(key): value for key, value in state.items()}
    prefix = _common_prefix(given, names)
    given = {key.removeprefix(prefix): value for key, value in given.items()}
    given = {key: value for key, value in given.items() if not key.endswith(_COUNTER)}
    if fake_class is not None:
        given = _one_logit(given, detector, fake_class)
    faults = [f"  missing     {key} {_shape(*names[key])}" for key in names if key not in given]
    faults += [f"  unexpected  {key}" for key in given if key not in names]
    for key, (variable, kind) in names.items():
        if key in given and tuple(np.shape(given[key])) != _shape(variable, kind):
            faults.append(
                f"  shape       {key}: expected {_shape(variable, kind)}, "
                f"received {tuple(np.shape(given[key]))}"
            )
    if faults:
        shown = faults[:12] + ([f"  and {len(faults) - 12} more"] if len(faults) > 12 else [])
        raise CheckpointError(
            "The checkpoint does not fit this detector "
            f"({len(names)} parameters expected, {len(given)} received):\n" + "\n".join(shown)
        )
    broken = [key for key in names if not np.isfinite(np.asarray(given[key], np.float32)).all()]
    if broken:
        raise CheckpointError(
            f"The checkpoint holds values that are not finite, in {len(broken)} parameters, the first "
            f"{broken[0]}. A training that diverged leaves such weights."
        )
    for key, (variable, kind) in names.items():
        array = np.asarray(given[key], np.float32)
        variable.assign(_from_official(array, kind, variable.shape))


def load_backbone(detector, path: str | os.PathLike) -> int:
    """Begins with the weights of a backbone that was trained for something else.

    Args:
        detector: A `Detector`; its last layer stays as it is, and so does its representation.
        path: A PyTorch checkpoint, such as torchvision's ResNet-50 or OpenAI's CLIP.

    Returns:
        How many variables were set.

    Raises:
        CheckpointError: If it is not a checkpoint of this backbone. Nothing is changed then.
    """
    state = {_bare(key): value for key, value in load_pth(path).items()}
    head = {id(variable) for variable in detector.head.weights}
    names = {k: v for k, v in name_map(detector).items() if id(v[0]) not in head}
    missing = [key for key in names if key not in state]
    wrong = [
        f"  shape       {key}: expected {_shape(*pair)}, received {tuple(np.shape(state[key]))}"
        for key, pair in names.items()
        if key in state and tuple(np.shape(state[key])) != _shape(*pair)
    ]
    if missing or wrong or not names:
        shown = [*(f"  missing     {key}" for key in missing), *wrong][:12]
        raise CheckpointError(
            f"{os.fspath(path)} does not hold the weights of this backbone, "
            f"{detector.backbone.describe()}:\n" + "\n".join(shown)
        )
    for key, (variable, kind) in names.items():
        array = np.asarray(state[key], np.float32)
        variable.assign(_from_official(array, kind, variable.shape))
    return len(names)


def _one_logit(given: Mapping[str, np.ndarray], detector, fake: int) -> dict[str, np.ndarray]:
    """A last layer with two outputs, of which softmax takes the difference, as one with one."""
    given = dict(given)
    head = detector.backbone.official_name(detector.head.name)
    for key in (f"{head}.weight", f"{head}.bias"):
        value = np.asarray(given.get(key, np.empty(0)))
        if len(value) == 2 and key in given:
            given[key] = np.asarray(value[fake] - value[1 - fake]).reshape(1, *value.shape[1:2])
    return given


def _common_prefix(given, names) -> str:
    """What stands before every parameter's name, such as `backbone.`; "" where nothing does."""
    first = next(iter(names))
    ends = [key.removesuffix(first) for key in given if key.endswith(f".{first}")]
    return ends[0] if len(ends) == 1 and all(key.startswith(ends[0]) for key in given) else ""


def _bare(key: str) -> str:
    """A parameter's name without what wrapped its module, in any order and number."""
    while prefix := next((p for p in _PREFIXES if key.startswith(p)), ""):
        key = key.removeprefix(prefix)
    return key


def _require_official(detector):
    layer, backbone = detector.representation, detector.backbone
    options = [getattr(layer, name, None) for name in ("window", "reference", "scale", "padding")]
    official = make_backbone()
    differing = [
        f"{name}={value}"
        for name, value in backbone.to_dict().items()
        if type(backbone) is not type(official) or value != getattr(official, name)
    ]
    if type(layer) is not NPR or options != [2, 1, 2 / 3, "valid"]:
        shown = ", ".join(map(str, options)) if type(layer) is NPR else ""
        differing.append(f"{type(layer).__name__}({shown})")
    if differing:
        raise CheckpointError(
            "Only the official detector, NPR(2, 1, 2/3) before 3 + 4 bottlenecks of width 64, can "
            "become an official checkpoint, which holds weights alone. "
            f"Received: {', '.join(differing)}"
        )


def load_pth(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads an official checkpoint: a bare state dict, or one wrapped under `model`.

    Loaded with `weights_only`, so that a file from elsewhere can not run code.

    Raises:
        CheckpointError: If the file is missing, broken, or holds something else.
        MissingPackageError: If PyTorch is not installed.
    """
    torch = _torch()
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise CheckpointError(f"No such file: {path}. Expected a PyTorch checkpoint (.pth).")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # torch.load raises pickle, zip, runtime and attribute errors, depending on what is broken.
    except Exception as error:
        raise CheckpointError(
            f"{path} is not a PyTorch checkpoint of weights: {_what(path)}"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    is_state = isinstance(state, Mapping) and all(
        isinstance(k, str) and torch.is_tensor(v) for k, v in state.items()
    )
    if not is_state or not state:
        raise CheckpointError(
            f"{path} holds no state dict. Expected names to tensors, bare or under "
            f"{' or '.join(repr(w) for w in _WRAPPERS)}. Received: {_summary(state)}"
        )
    return {
        key: (value.detach().float() if value.is_floating_point() else value.detach()).numpy()
        for key, value in state.items()
    }


def _what(path: str) -> str:
    """What a file is that cannot be loaded; PyTorch's own advice would be to run its code."""
    with open(path, "rb") as file:
        head = file.read(200)
    if head.lstrip()[:1] == b"<":
        return "it is a web page. Download the file itself"
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer. Fetch the file itself: git lfs pull"
    if not head:
        return "it is empty"
    if zipfile.is_zipfile(path) or head[:1] == b"\x80":
        return (
            "it holds more than weights, such as a whole pickled module, which would run as code. Save "
            "its state_dict() instead"
        )
    return "it is damaged, or something else"


def save_pth(state: Mapping[str, np.ndarray], path: str | os.PathLike) -> None:
    """Writes a bare official state dict, atomically."""
    torch = _torch()
    data = io.BytesIO()
    torch.save({key: torch.from_numpy(np.array(value)) for key, value in state.items()}, data)
    with replacing(path) as temporary:
        temporary.write_bytes(data.getvalue())  # torch itself would say "iostream error"


def _torch():
    return import_needed("torch", "An official checkpoint")


def _summary(value) -> str:
    if isinstance(value, Mapping):
        return f"a dict with the keys {', '.join(map(str, list(value)[:5])) or '(none)'}"
    return type(value).__name__


def _numpy(variable):
    import keras

    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)


def _shape(variable, kind):
    """The variable's shape in PyTorch's order of axes."""
    return _to_official(np.empty(variable.shape, np.float32), kind).shape


def _to_official(array, kind):
    if kind == "conv":
        array = array.transpose(3, 2, 0, 1)
    elif kind == "depthwise":  # (h, w, in, times) -> (in * times, 1, h, w)
        array = array.transpose(2, 3, 0, 1).reshape(-1, 1, *array.shape[:2])
    return np.ascontiguousarray(array.T if kind == "dense" else array)


def _from_official(array, kind, shape):
    if kind == "conv":
        return array.transpose(2, 3, 1, 0)
    if kind == "depthwise":
        return array.reshape(*shape[2:], *array.shape[2:]).transpose(2, 3, 0, 1)
    return array.T if kind == "dense" else array
