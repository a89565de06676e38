"""Weights to and from the official PyTorch checkpoints.

The network is the same, so this is a matter of names and of axes: PyTorch keeps a convolution as
(out, in, h, w) and a dense kernel as (out, in), Keras as (h, w, in, out) and (in, out).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from npr_keras.errors import CheckpointError
from npr_keras.layers.npr import NPR
from npr_keras.models.backbones.base import make_backbone
from npr_keras.models.pth import bare_name, load_pth

# Steps that PyTorch's batch norm has counted. Nothing reads it at momentum 0.1.
_COUNTER = "num_batches_tracked"


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
        state[name] = to_pytorch_axes(_numpy(variable), kind)
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
    given = {bare_name(key): value for key, value in state.items()}
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
        variable.assign(from_pytorch_axes(array, kind, variable.shape))


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
    state = {bare_name(key): value for key, value in load_pth(path).items()}
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
        variable.assign(from_pytorch_axes(array, kind, variable.shape))
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


def _numpy(variable):
    import keras

    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)


def _shape(variable, kind):
    """The variable's shape in PyTorch's order of axes."""
    return to_pytorch_axes(np.empty(variable.shape, np.float32), kind).shape


def to_pytorch_axes(array, kind):
    """A variable's value as PyTorch keeps one of that kind, see `name_map`."""
    if kind == "conv":
        array = array.transpose(3, 2, 0, 1)
    elif kind == "depthwise":  # (h, w, in, times) -> (in * times, 1, h, w)
        array = array.transpose(2, 3, 0, 1).reshape(-1, 1, *array.shape[:2])
    return np.ascontiguousarray(array.T if kind == "dense" else array)


def from_pytorch_axes(array, kind, shape):
    """The other way; `shape` is the variable's, which tells a depthwise kernel's two channels apart."""
    if kind == "conv":
        return array.transpose(2, 3, 1, 0)
    if kind == "depthwise":
        return array.reshape(*shape[2:], *array.shape[2:]).transpose(2, 3, 0, 1)
    return array.T if kind == "dense" else array
