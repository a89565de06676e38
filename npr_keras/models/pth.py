"""PyTorch's files of weights: read without running what may be in them, and written."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np

from npr_keras.atomic import replacing
from npr_keras.errors import CheckpointError
from npr_keras.limits import require_sane_archive
from npr_keras.packages import import_needed

_WRAPPERS = ("model", "state_dict", "model_state_dict", "net", "network", "weights")
_PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
)  # of DataParallel, torch.compile, and holders


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
        require_sane_archive(path)
    except (ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is not read: {error}") from error
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


def load_pths(folder: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads the checkpoints of several networks, such as `method_A.pth` and `method_B.pth`.

    Returns:
        All of them as one: what each file's name has behind its last underscore stands before its
        parameters' names, with a dot between.

    Raises:
        CheckpointError: If there are none, or one cannot be read.
    """
    files = sorted(name for name in os.listdir(folder) if name.endswith((".pth", ".pt")))
    if not files:
        raise CheckpointError(f"No PyTorch checkpoint (.pth) in {os.fspath(folder)}.")
    return {
        f"{os.path.splitext(name)[0].rpartition('_')[2]}.{bare_name(key)}": value
        for name in files
        for key, value in load_pth(os.path.join(folder, name)).items()
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


def bare_name(key: str) -> str:
    """A parameter's name without what wrapped its module, in any order and number."""
    while prefix := next((p for p in _PREFIXES if key.startswith(p)), ""):
        key = key.removeprefix(prefix)
    return key
