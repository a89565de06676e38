"""Packages that some things need, what for, and the pip line that brings each."""

from __future__ import annotations

import importlib
import importlib.util

from npr_keras.errors import MissingPackageError

BACKENDS = ("tensorflow", "torch", "jax")
# What is imported -> what to install, and what it is for.
NEEDED_FOR = {
    "tensorflow": ("tensorflow", "tf.data, the tensorflow backend, SavedModel and TFLite"),
    "torch": ('"npr-keras[torch]"', "the torch backend, official checkpoints"),
    "jax": ('"npr-keras[jax]"', "the jax backend"),
    "tensorboard": ('"npr-keras[tensorboard]"', "train --tensorboard (with tensorflow)"),
    "tensorflow_serving": ("tensorflow-serving-api", "TF Serving's messages"),
    "grpc": ("grpcio", "grpc:// addresses"),
    "starlette": ('"npr-keras[serve]"', ""),
    "uvicorn": ('"npr-keras[serve]"', "npr-keras serve"),
    "prometheus_client": ('"npr-keras[serve]"', ""),
    "grpc_health": ('"npr-keras[serve]"', ""),
    "onnx": ('"npr-keras[onnx]"', ""),
    "tf2onnx": ('"npr-keras[onnx]"', ""),
    "onnxruntime": ('"npr-keras[onnx]"', "ONNX files"),
    "openvino": ('"npr-keras[openvino]"', "OpenVINO models"),
    "ai_edge_litert": ('"npr-keras[litert]"', "TFLite files"),
    "matplotlib": ('"npr-keras[report]"', "reports, figures"),
    "jinja2": ('"npr-keras[report]"', ""),
    "pyarrow": ('"npr-keras[parquet]"', "Parquet tables"),
    "diffusers": ("diffusers", "DIRE, autoencoders of diffusers (with torch)"),
    "ncnn": ('"npr-keras[ncnn]"', "decoders in ncnn's files"),
    "yaml": ('"npr-keras[ablate]"', ""),
    "requests": ('"npr-keras[download]"', "npr-keras data download"),
    "gdown": ('"npr-keras[download]"', ""),
    "py7zr": ('"npr-keras[download]"', ""),
}


def is_installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # imported by somebody who gave it no spec
        return True


def require(what: str, *packages: str) -> None:
    """Raises MissingPackageError, with the pip line, unless all of these can be imported.

    Args:
        what: What needs them: the beginning of the sentence, such as "A SavedModel".
        packages: As they are imported.
    """
    missing = [package for package in packages if not is_installed(package)]
    if missing:
        lines = dict.fromkeys(NEEDED_FOR.get(package, (package,))[0] for package in missing)
        raise MissingPackageError(
            f"{what} needs what is not installed ({', '.join(missing)}): pip install {' '.join(lines)}"
        )


def import_needed(module: str, what: str):
    """A module that may not be installed; see `require`."""
    require(what, module.partition(".")[0])
    return importlib.import_module(module)
